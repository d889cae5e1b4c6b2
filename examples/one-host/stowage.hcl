# Three replicas of examples/web on this machine, each behind a port of its own.
# The image is local: make demo builds and loads it.

stowage {
  fleet = "one-host"
}

variable "message" {
  type        = string
  default     = "hello"
  description = "What every replica answers."
}

host "local" {}

workload "web" {
  image    = "stowage-web:1"
  replicas = 3
  env      = { MESSAGE = var.message }

  port "http" {
    container = 8080
    host      = "auto" # one from 20000-29999, recorded: it stays when the container is replaced
    bind      = "127.0.0.1"
  }

  update {
    min_healthy_time = "0s" # it counts as soon as it runs; without this, when it has run for ten seconds
  }
}
