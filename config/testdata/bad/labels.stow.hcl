host "a" { labels = { zone = "eu-a" } }
workload "web" {
  image = "x"
  placement {
    labels = { zone = "eu-a", disk = "ssd" } # WARNING: No host has this label
    spread = ["zone", "rack"]                # WARNING: No host has this label
    constraint {
      attribute = "host.name"                # WARNING: No host has this name
      value     = "b"
    }
    affinity {
      attribute = "rack"                     # WARNING: No host has this label
      value     = "1"
      weight    = 5
    }
  }
}
