workload "web" { image = "x" }
job "web" {                  # ERROR: Declared twice
  image = "x"
}
job "db" { image = "x" }
workload "db" {              # ERROR: Declared twice
  image = "x"
}
