host "a" {
  labels = { zone = "eu-a" }
  capacity { devices = ["kvm"] }     # ERROR: Invalid value
}
workload "cache" { image = "x" }
workload "web" {
  image     = "x"
  exclusive = "sometimes"            # ERROR: Wrong type
  placement {
    strategy = "random"              # ERROR: Invalid value
    priority = 101                   # ERROR: Invalid value
    spread   = ["zone", "host"]      # ERROR: Invalid value
    constraint {                     # ERROR: Missing argument
      attribute = "zone"
    }
    constraint {
      attribute = "zone"
      operator  = "between"          # ERROR: Invalid value
      value     = 1
    }
    constraint {
      attribute = "zone"
      value     = ["eu-a"]           # ERROR: Wrong type
    }
    constraint {
      attribute = "host.memory"      # ERROR: Invalid value
      operator  = "regexp"
      value     = "("                # ERROR: Invalid value
    }
    constraint {
      attribute = workload.cache     # ERROR: Invalid value
    }
    affinity {                       # ERROR: Missing argument
      attribute = workload.cache
    }
    affinity {
      attribute = workload.cache
      weight    = 0                  # ERROR: Invalid value
    }
  }
}
