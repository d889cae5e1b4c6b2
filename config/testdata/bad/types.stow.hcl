network "app" {}
host "h" { address = "10.0.0.1:22" }            # ERROR: Invalid value
host "i" { address = "root@10.0.0.1" }          # ERROR: Invalid value
host "j" { address = "-oProxyCommand=x" }       # ERROR: Invalid value
host "k" {
  ssh { port = 2 }                              # ERROR: Invalid value
}
workload "web" {
  image        = ["a"]                          # ERROR: Wrong type
  replicas     = 1.5                            # ERROR: Invalid value
  stop_timeout = 30                             # ERROR: Invalid value
  shm_size     = 64                             # ERROR: Invalid value
  read_only    = "maybe"                        # ERROR: Wrong type
  restart      = "allways"                      # ERROR: Invalid value
  env          = ["A=1"]                        # ERROR: Wrong type
  networks     = ["app"]                        # ERROR: Wrong type
  cap_add      = "NET_ADMIN"                    # ERROR: Wrong type
  dns          = ["x"]                          # ERROR: Invalid value
  stop_signal  = "SIGFOO"                       # ERROR: Invalid value
  labels       = { "stowage.fleet" = "x" }      # ERROR: Invalid value
  working_dir  = "srv"                          # ERROR: Invalid value
  pids_limit   = "many"                         # ERROR: Wrong type
  ulimits      = { files = 1 }                  # ERROR: Invalid value
  devices      = ["fuse"]                       # ERROR: Invalid value
  env_file     = ["missing.env"]                # ERROR: Invalid value
  port "a" {
    container = 70000                           # ERROR: Invalid value
    host      = "80"                            # ERROR: Invalid value
    bind      = "localhost"                     # ERROR: Invalid value
  }
  port "b" {                                    # ERROR: Missing argument
    bind = "127.0.0.1"                          # ERROR: Invalid value
  }
  mount "data" { source = "/x" }                # ERROR: Invalid value
  mount "/y" { source = "data" }                # ERROR: Invalid value
  mount "/z" {}                                 # ERROR: Missing argument
  file "/f" {
    content = ""
    mode    = 644                               # ERROR: Invalid value
  }
  resources {
    memory     = "1GB"                          # ERROR: Invalid value
    cpu        = "2x"                           # ERROR: Invalid value
    memory_max = "1KiB"                         # ERROR: Invalid value
  }
  placement {
    hosts = ["h"]                               # ERROR: Wrong type
  }
}
workload "g" {
  image    = "Bad:image:ref"                    # ERROR: Invalid value
  mode     = "global"
  replicas = 2                                  # ERROR: Invalid value
}
workload "noimage" {}                           # ERROR: Missing argument
workload "netmode" {
  image        = "x"
  network_mode = "host"
  networks     = [network.app]                  # ERROR: Invalid value
  port "a" {
    container = 1
    host      = 1                               # ERROR: Invalid value
  }
}
workload "lists" {
  for_each = ["a"]                              # ERROR: Wrong type
  image    = "x"
}
workload "neg" {
  count = -1                                    # ERROR: Invalid value
  image = "x"
}
workload "keys" {
  for_each = toset(["a b"])                     # ERROR: Invalid value
  image    = "x"
}
