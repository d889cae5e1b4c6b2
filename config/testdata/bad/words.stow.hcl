host "a" { user = "root" } # ERROR: Unknown argument
service "x" {} # ERROR: Unknown block
wrkload "y" { image = "x" } # ERROR: Unknown block
workload "web" {
  image       = "x"
  cmd         = ["a"]        # ERROR: Unknown argument
  environment = {}           # ERROR: Unknown argument
  memory      = "1GiB"       # ERROR: Unknown argument
  comand      = ["a"]        # ERROR: Unknown argument
  container_name = "x"       # ERROR: Unknown argument
  resources   = {}           # ERROR: Unknown argument
  port "http" {
    internal = 80            # ERROR: Unknown argument
    container = 80
  }
  env { A = 1 }              # ERROR: Unknown block
  resources {
    image = "x"              # ERROR: Unknown argument
  }
  dynamic "prt" {            # ERROR: Unknown block
    for_each = []
    content {}
  }
  port "a" "b" {             # ERROR: Wrong number of labels
    container = 1
  }
}
workload "not ok" { image = "x" } # ERROR: Invalid name
volume {}                    # ERROR: Wrong number of labels
