// Package media is the plugin that stores files for other devices: its
// manifest, its configuration and its HTTP answers. What happens on the disk is
// the library package's business.
package media
