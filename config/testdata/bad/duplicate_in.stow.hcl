workload "web" {
  image = "x"
  port "a" {
    container = 1
    host      = 80
  }
  port "a" { container = 2 } # ERROR: Declared twice
  port "b" {                 # ERROR: Declared twice
    container = 1
    host      = 80
  }
  mount "/x" { source = "/a" }
  mount "/x/" { source = "/b" } # ERROR: Declared twice
  tmpfs = ["/x"]             # ERROR: Declared twice
  file "/f" { content = "" }
  file "/f" { content = "" } # ERROR: Declared twice
}
