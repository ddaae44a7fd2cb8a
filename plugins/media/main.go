// Command salita-plugin-media lets a device store photos, videos and other
// files for the owner's other devices. The gateway starts it.
package main

import (
	"github.com/salita-mesh/salita/plugins/media/internal/media"
	"github.com/salita-mesh/salita/sdk"
)

// version is the plugin's own version, not the gateway's.
const version = "0.1.0"

func main() { sdk.Main(media.Plugin(version)) }
