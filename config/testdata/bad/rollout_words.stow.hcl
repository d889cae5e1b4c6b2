workload "web" {
  image = "x"
  healthcheck = { test = 1 } # ERROR: Unknown argument
  livenessProbe {}           # ERROR: Unknown block
  hook "prestart" {}         # ERROR: Unknown kind of hook
  hook {}                    # ERROR: Wrong number of labels
  update {}
  update {}                  # ERROR: Declared twice
}
job "j" {
  image = "x"
  update {}                  # ERROR: Unknown block
  healthcheck {}             # ERROR: Unknown block
  schedule = "x"             # ERROR: Not supported yet
}
