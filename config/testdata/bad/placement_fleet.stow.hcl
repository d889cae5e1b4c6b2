host "a" { labels = { zone = "eu-a" } }
workload "web" {
  image = "x"
  placement {
    affinity {
      attribute = workload.web       # ERROR: Invalid value
      weight    = 5
    }
    affinity {
      attribute = "workload.gone"    # ERROR: Unknown reference
      weight    = 5
    }
    constraint {
      attribute = "node.labels.zone" # ERROR: Invalid value
      value     = "eu-a"
    }
    constraint {
      attribute = "rack"             # WARNING: No host has this label
      value     = "1"
    }
  }
}
