workload "web" {             # ERROR: Names collide on the hosts
  count = 2
  image = "x"
}
job "web-1" { image = "x" }
