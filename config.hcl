# Salita reads this file at start. Everything in it has a default; the whole
# list is in docs/CONFIG.md.

# device {
#   name = "Study Desktop"            # default: this machine's host name
# }

# server {
#   address = "0.0.0.0:6969"          # one port for everything
# }

# Photos and other files that your devices send here.
plugin "media" {
  config {
    # library = "~/Pictures/Salita"   # default: inside the data folder
  }
}

# Short posts that your devices write to each other.
plugin "posts" {}
