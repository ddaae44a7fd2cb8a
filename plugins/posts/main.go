// Command salita-plugin-posts lets the owner's devices write short posts,
// comment on them and react to them. The gateway starts it.
//
// It is written to be read as the example of a whole plugin: begin with
// internal/posts/plugin.go, which is all that the gateway sees of it.
package main

import (
	"github.com/salita-mesh/salita/plugins/posts/internal/posts"
	"github.com/salita-mesh/salita/sdk"
)

// version is the plugin's own version, not the gateway's.
const version = "0.1.0"

func main() { sdk.Main(posts.Plugin(version)) }
