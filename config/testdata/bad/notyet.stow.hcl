module "m" {}                # ERROR: Not supported yet
plugin "p" {}                # ERROR: Not supported yet
registry "r" {}              # ERROR: Not supported yet
moved {}                     # ERROR: Not supported yet
check "c" {
  data "x" {}                # ERROR: Not supported yet
}
load_balancer "l" {}         # ERROR: Not supported yet
data "a" "b" {}              # ERROR: Not supported yet
stowage {
  state "etcd" {             # ERROR: Not supported yet
    endpoints = []
  }
  encryption { key_env = "X" } # ERROR: Not supported yet
}
host "a" {
  engine "podman" {}         # ERROR: Not supported yet
}
secret "s" { age_file = "x" } # ERROR: Not supported yet
workload "web" {
  image = "x"
  lifecycle {}               # ERROR: Not supported yet
  restart_policy {}          # ERROR: Not supported yet
  on_host_loss {}            # ERROR: Not supported yet
  image_update {}            # ERROR: Not supported yet
  autoscale {}               # ERROR: Not supported yet
  route "x" {}               # ERROR: Not supported yet
  engine_options "docker" {} # ERROR: Not supported yet
  drift     = "warn"         # ERROR: Not supported yet
  drain_timeout = "1s"       # ERROR: Not supported yet
}
job "nightly" {
  image     = "x"
  schedule  = "0 3 * * *"    # ERROR: Not supported yet
  time_zone = "UTC"          # ERROR: Not supported yet
  overlap   = "skip"         # ERROR: Not supported yet
  lifecycle {}               # ERROR: Not supported yet
}
