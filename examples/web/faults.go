package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// faults are what makes the program a bad release.
type faults struct {
	exit      int           // $EXIT: the status to end with at once; 0: do not
	dieAfter  time.Duration // $DIE_AFTER: end with status 1 that long after the start
	fail      bool          // $HEALTH_FAIL: never healthy
	okAfter   time.Duration // $HEALTH_AFTER: healthy only that long after the start
	delay     time.Duration // $HEALTH_DELAY: how long /healthz takes to answer
	flapEvery time.Duration // $FLAP: healthy that long, unhealthy that long, and again
}

// faultsOf reads them from the environment. What cannot be read is an error: a test of a bad release must not pass since the
// release was good.
func faultsOf(getenv func(string) string) (f faults, err error) {
	if text := getenv("EXIT"); text != "" {
		if f.exit, err = strconv.Atoi(text); err != nil {
			return f, fmt.Errorf("EXIT=%q is not a status", text)
		}
	}
	if text := getenv("HEALTH_FAIL"); text != "" {
		if f.fail, err = strconv.ParseBool(text); err != nil {
			return f, fmt.Errorf("HEALTH_FAIL=%q is neither true nor false", text)
		}
	}
	for name, d := range map[string]*time.Duration{
		"DIE_AFTER": &f.dieAfter, "HEALTH_AFTER": &f.okAfter, "HEALTH_DELAY": &f.delay, "FLAP": &f.flapEvery,
	} {
		text := getenv(name)
		if text == "" {
			continue
		}
		if *d, err = time.ParseDuration(text); err != nil || *d <= 0 {
			return f, fmt.Errorf("%s=%q is not a time such as 5s", name, text)
		}
	}
	return f, nil
}

// health is what /healthz says so long after the start.
func (f faults) health(up time.Duration) (status int, text string) {
	switch {
	case f.fail:
		return http.StatusServiceUnavailable, "told to fail"
	case up < f.okAfter:
		return http.StatusServiceUnavailable, "still starting"
	case f.flapEvery > 0 && (up/f.flapEvery)%2 == 1:
		return http.StatusServiceUnavailable, "told to flap"
	}
	return http.StatusOK, "ok"
}

// dieLater ends the program when its time has come.
func (f faults) dieLater() {
	if f.dieAfter > 0 {
		time.AfterFunc(f.dieAfter, func() {
			fmt.Println("web dies, as it was told to")
			os.Exit(1)
		})
	}
}
