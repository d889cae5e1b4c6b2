// Command webimage builds the image of examples/web.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/stowage-run/stowage/internal/webimage"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "webimage:", err)
		os.Exit(1)
	}
}

func run() error {
	tag := flag.String("tag", "stowage-web:1", "name of the image")
	version := flag.String("version", "1", "version the program says it is")
	created := flag.String("created", "", "RFC 3339 time shown as the image's age (default 1970)")
	out := flag.String("o", "-", "file to write, for docker load; - is standard output")
	flag.Parse()
	image := webimage.Image{Tag: *tag, Version: *version}
	if *created != "" {
		at, err := time.Parse(time.RFC3339, *created)
		if err != nil {
			return err
		}
		image.Created = at
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *out != "-" {
		return image.WriteFile(ctx, *out)
	}
	archive, err := image.Archive(ctx)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(archive)
	return err
}
