variable "parallel" { default = "25%" }

workload "db" {
  image = "postgres"
  port "sql" { container = 5432 }
  healthcheck { tcp = true }
}

workload "web" {
  image    = "web:2"
  replicas = 12
  port "http" {
    container = 8080
    host      = "auto"
  }
  port "admin" { container = 9090 }
  port "gossip" {
    container = 7946
    protocol  = "udp"
  }
  healthcheck {
    http         = "/healthz?deep=1"
    port         = "http"
    interval     = "500ms"
    timeout      = "1s"
    retries      = 5
    start_period = "20s"
    on_unhealthy = "none"
  }
  update {
    strategy          = "rolling"
    max_parallel      = var.parallel
    max_surge         = 3
    max_unavailable   = "10%"
    order             = "start-first"
    min_healthy_time  = "2s"
    healthy_deadline  = "1m"
    progress_deadline = "3m"
    canary            = 2
    auto_promote      = true
    on_failure        = "pause"
  }
  hook "post_deploy" { command = "/bin/tell 'it is out'" }
  dynamic "hook" {
    for_each = { pre_deploy = "migrate", on_failure = "alert" }
    labels   = [hook.key]
    content {
      command = ["/bin/web", hook.value]
      timeout = "1m"
    }
  }
  depends_on = [job.migrate, workload.db, job.seed]
}

# Defaults that follow from what is said.
workload "stopping" {
  image = "x"
  update { order = "stop-first" }
}
workload "stopping-more" {
  image    = "x"
  replicas = 4
  update {
    order           = "stop-first"
    max_unavailable = "50%"
  }
}
workload "slow" {
  image = "x"
  update { healthy_deadline = "20m" }
}
workload "unhurried" {
  image = "x"
  update {
    healthy_deadline  = "0s"
    progress_deadline = "1h"
  }
}
workload "at-once" {
  image = "x"
  update {
    strategy         = "blue-green"
    min_healthy_time = "0s"
  }
}
workload "anew" {
  image     = "x"
  exclusive = true
  update {
    strategy   = "recreate"
    on_failure = "continue"
  }
}
workload "fixed" {
  image = "x"
  port "http" {
    container = 80
    host      = 80
  }
  healthcheck { tcp = "http" }
  update { order = "start-first" }
}
workload "rpc" {
  image = "x"
  port "grpc" { container = 5000 }
  port "metrics" { container = 5001 }
  healthcheck {
    grpc = ""
    port = "grpc"
  }
}
workload "named" {
  image = "x"
  port "grpc" { container = 5000 }
  healthcheck { grpc = "shop.v1.Cart" }
}
workload "asked" {
  image = "x"
  healthcheck { command = ["/bin/check", "--quick"] }
}

job "migrate" {
  image      = "web:2"
  command    = ["migrate"]
  retries    = 2
  timeout    = "10m"
  depends_on = [workload.db]
}
job "seed" {
  for_each = toset(["eu", "us"])
  image    = "seed"
  replicas = 2
  restart  = "no"
  timeout  = "0s"
  port "progress" {
    container = 80
    host      = "auto"
  }
  env = { ID = job.migrate.id, NAME = job.migrate.name }
}
