stowage {}
stowage {}                   # ERROR: Declared twice
workload "web" {
  image = "x"
  resources {}
  resources {}               # ERROR: Declared twice
}
