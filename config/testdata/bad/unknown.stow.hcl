workload "a" {
  image = "x"
  port "http" {
    container = 80
    host      = "auto"
  }
}
workload "b" {
  image    = "x"
  replicas = workload.a.ports.http.host         # ERROR: Value not known yet
  env      = { P = workload.a.ports.http.host } # ERROR: Value not known yet
}
