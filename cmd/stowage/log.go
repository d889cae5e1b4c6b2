package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// openLog sets up the log that STOWAGE_LOG asks for (trace, debug, info, warn, error or off), on standard error or in the
// file that STOWAGE_LOG_PATH names, mode 0600. Without STOWAGE_LOG nothing is logged.
func (a *app) openLog() (func(), error) {
	a.log = slog.New(slog.DiscardHandler)
	word := strings.ToLower(a.env("STOWAGE_LOG"))
	if word == "" || word == "off" {
		return func() {}, nil
	}
	level, ok := map[string]slog.Level{"trace": slog.LevelDebug - 4, "debug": slog.LevelDebug, "info": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError}[word]
	if !ok {
		return nil, fmt.Errorf("STOWAGE_LOG is %q, wanted trace, debug, info, warn, error or off", word)
	}
	out, closeFile := a.err, func() {}
	if path := a.env("STOWAGE_LOG_PATH"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("STOWAGE_LOG_PATH: %w", err)
		}
		out, closeFile = f, func() { f.Close() }
	}
	a.log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	return closeFile, nil
}
