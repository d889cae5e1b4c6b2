host "web1" { address = "203.0.113.10" }
host "web2" { address = "203.0.113.11" }

workload "web" {
  image    = "ghcr.io/acme/web:1.4.2"
  replicas = 2
  env      = { PORT = "8080" }
  port "http" { container = 8080 }
}
