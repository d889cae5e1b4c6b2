workload "none" {
  image = "x"
  healthcheck {}             # ERROR: Missing argument
}
workload "portless" {
  image = "x"
  healthcheck { http = "/" } # ERROR: Missing block
}
workload "udp" {
  image = "x"
  port "dns" {
    container = 53
    protocol  = "udp"
  }
  healthcheck { tcp = "dns" } # ERROR: Invalid value
}
workload "two" {
  image = "x"
  port "a" { container = 1 }
  port "b" { container = 2 }
  healthcheck {              # ERROR: Missing argument
    tcp = true
  }
  update {
    max_surge = 0            # ERROR: Invalid value
  }
  hook "pre_deploy" { command = ["a"] }
  hook "pre_deploy" {        # ERROR: Declared twice
    command = ["b"]
  }
  hook "post_deploy" {}      # ERROR: Missing argument
}
job "j" {
  image   = "x"
  restart = "always"         # ERROR: Invalid value
  retries = -1               # ERROR: Invalid value
  timeout = 5                # ERROR: Invalid value
}
workload "waits" {
  image      = "x"
  depends_on = [host.h]      # ERROR: Wrong type
}
host "h" {}
