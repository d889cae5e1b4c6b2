package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// handleInterrupts makes the first Ctrl-C (or SIGTERM, SIGHUP) close a.stop, so that what is in flight is finished and
// recorded, and the second end the context, so that the program leaves at once with its intents durable. The
// returned function ends the handling and waits for it.
func (a *app) handleInterrupts(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	a.stop = stop
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		close(stop)
		if a.graceful.Load() {
			fmt.Fprintln(a.err, "\nInterrupted: finishing what is in flight and recording it. Once more leaves at once.")
		} else {
			return // nothing is being changed: there is nothing to finish
		}
		select {
		case <-signals:
			fmt.Fprintln(a.err, "\nLeaving at once. What was in flight is noted in the state; the next plan looks at how it ended.")
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		<-done
	}
}
