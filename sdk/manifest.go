package sdk

// Manifest says what a plugin is. It must not depend on configuration: the
// gateway asks for it before the plugin has any. Validate has the rules.
type Manifest struct {
	// Name is the plugin's name: lower-case letters, digits and dashes, the same
	// as in the file name salita-plugin-<name>.
	Name string `json:"name"`
	// Version is the plugin's own version, shown to tinkerers.
	Version string `json:"version"`
	// Title is the plugin's name in plain words, such as "Photos".
	Title string `json:"title"`
	// Capabilities are what the plugin lets this device do for others.
	Capabilities []Capability `json:"capabilities"`
	// Routes are the requests it serves. Anything else is never forwarded.
	Routes []Route `json:"routes"`
	// Paths are the attributes of the configuration that name files or folders,
	// as a string or a list of strings: "library". The plugin may work in those
	// and in its data folder; where the system can enforce that, nowhere else.
	Paths []string `json:"paths,omitempty"`
	// Alone says that two processes of the plugin must never work side by side.
	// Otherwise a new version is started, and checked, beside the one it replaces,
	// and for a moment both work in the data folder. With Alone the old one ends
	// first, and requests wait or fail in between.
	Alone bool `json:"alone,omitempty"`
}

// Capability is one thing a device can do for the others.
type Capability struct {
	// ID is "<plugin>.<ability>", such as "media.storage", or "<plugin>" alone.
	ID string `json:"id"`
	// Title says it in plain words: "Can store media".
	Title string `json:"title"`
	// Route is the pattern of the route that does it, when one request does.
	// Others can then call it as /capabilities/<ID>, without knowing the route.
	// It has no wildcards and is one of Manifest.Routes; "" offers nothing.
	Route string `json:"route,omitempty"`
}

// Route is one request pattern and the permission it needs.
type Route struct {
	// Pattern is a net/http.ServeMux pattern with a method: "GET /media/{id}".
	// Its path must be /<name> or begin with /<name>/. As with ServeMux, GET
	// serves HEAD too.
	Pattern string `json:"pattern"`
	// Permission is "<name>:<action>", such as "media:read". The gateway checks
	// it before the plugin sees the request; it may not be empty.
	Permission string `json:"permission"`
}
