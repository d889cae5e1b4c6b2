host "a" {}

workload "web" {
  image     = "web:1"
  read_only = true # ERROR: Invalid value
  file "/etc/app.conf" {
    content = "x"
  }
}
