package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"
)

// bare makes n containers and removes them again with nothing but the calls, concurrency at a time.
func (l *lab) bare(n, concurrency int) (up, down sample, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.fleet.Local.Socket)
	}
	api, err := client.NewClientWithOpts(client.WithHost("http://engine"), client.WithDialContext(dial),
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: concurrency}}), client.WithAPIVersionNegotiation())
	if err != nil {
		return up, down, err
	}
	defer api.Close()
	ids := make([]string, n)
	each := func(do func(ctx context.Context, i int) error) (sample, error) {
		began := time.Now()
		g, ctx := errgroup.WithContext(l.ctx)
		g.SetLimit(concurrency)
		for i := range n {
			g.Go(func() error { return do(ctx, i) })
		}
		err := g.Wait()
		return sample{wall: time.Since(began)}, err
	}
	up, err = each(func(ctx context.Context, i int) error {
		made, err := api.ContainerCreate(ctx, &container.Config{Image: tag}, &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "unless-stopped"},
			LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}}}, nil, nil, "bare-"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		ids[i] = made.ID
		return api.ContainerStart(ctx, made.ID, container.StartOptions{})
	})
	if err != nil {
		return up, down, err
	}
	second := 1
	down, err = each(func(ctx context.Context, i int) error {
		if err := api.ContainerStop(ctx, ids[i], container.StopOptions{Timeout: &second}); err != nil {
			return err
		}
		return api.ContainerRemove(ctx, ids[i], container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
	return up, down, err
}

// composeProject is a compose project of n containers.
type composeProject struct {
	l   *lab
	dir string
	n   int
}

// compose starts one; nil: there is no compose here.
func (l *lab) compose(n int) (*composeProject, error) {
	if exec.CommandContext(l.ctx, "docker", "compose", "version").Run() != nil {
		fmt.Println("   docker compose was not found: it is left out")
		return nil, nil
	}
	p := &composeProject{l, filepath.Join(l.dir, "compose"), n}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("services:\n  web:\n    image: %s\n    network_mode: bridge\n    stop_grace_period: 1s\n", tag)
	if err := os.WriteFile(filepath.Join(p.dir, "compose.yaml"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	_, err := p.up()
	return p, err
}

func (p *composeProject) up() (sample, error) {
	return p.l.run(p.dir, p.l.engineEnv(), "docker", "compose", "up", "-d", "--scale", "web="+strconv.Itoa(p.n))
}

func (p *composeProject) down() {
	p.l.run(p.dir, p.l.engineEnv(), "docker", "compose", "down", "-t", "0")
}

// terraformRoot is a Terraform configuration of n containers.
type terraformRoot struct {
	l   *lab
	dir string
	bin string
}

// terraform writes one; nil: TERRAFORM names no binary.
func (l *lab) terraform(name string, n int) (*terraformRoot, error) {
	bin := os.Getenv("TERRAFORM")
	if bin == "" {
		fmt.Println("   TERRAFORM names no binary: it is left out")
		return nil, nil
	}
	t := &terraformRoot{l, filepath.Join(l.dir, name), bin}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`terraform {
  required_providers {
    docker = { source = "kreuzwerker/docker" }
  }
}
provider "docker" { host = "unix://%s" }
data "docker_image" "web" { name = %q }
resource "docker_container" "web" {
  count        = %d
  name         = "tf-${count.index}"
  image        = data.docker_image.web.id
  stop_timeout = 1
}
`, l.fleet.Local.Socket, tag, n)
	return t, os.WriteFile(filepath.Join(t.dir, "main.tf"), []byte(text), 0o644)
}

func (t *terraformRoot) run(args ...string) (sample, error) {
	argv := append([]string{t.bin}, args...)
	return t.l.run(t.dir, []string{"TF_CLI_CONFIG_FILE=" + os.Getenv("TERRAFORM_RC")}, append(argv, "-input=false", "-no-color")...)
}

func (t *terraformRoot) plan() (sample, error) { return t.run("plan") }

// planEmpty is an error where there is something to do.
func (t *terraformRoot) planEmpty() (sample, error) { return t.run("plan", "-detailed-exitcode") }

func (t *terraformRoot) apply() error {
	_, err := t.run("apply", "-auto-approve")
	return err
}

func (t *terraformRoot) destroy() {
	if _, err := t.run("destroy", "-auto-approve"); err != nil {
		fmt.Println("   cleaning up:", err)
	}
}
