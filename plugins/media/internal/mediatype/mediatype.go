// Package mediatype decides what a stored file is called in a Content-Type and
// whether a browser may show it. It looks at the first bytes; the name decides
// only between formats that share them. Whatever a browser could run as a page
// (HTML, SVG, XML, scripts) has no name of its own here.
package mediatype

import (
	"bytes"
	"path"
	"strings"
)

// HeadSize is how many first bytes of a file Detect looks at.
const HeadSize = 512

// Unknown is the type of everything that is not known to be harmless.
const Unknown = "application/octet-stream"

// Inline reports whether a browser may show a file of this type in place
// instead of saving it.
func Inline(mediaType string) bool {
	family, _, _ := strings.Cut(mediaType, "/")
	return family == "image" || family == "video" || family == "audio"
}

// Detect names the type of a file by its first bytes and its name.
func Detect(head []byte, name string) string {
	for _, s := range signatures {
		if s.matches(head) {
			return s.mediaType
		}
	}
	switch {
	case isBoxed(head):
		return boxed(head)
	case bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")):
		return matroska(head)
	case isMPEGAudio(head):
		return mpegAudio(name)
	}
	return Unknown
}

// signature is a format known by fixed bytes at one or two places.
type signature struct {
	mediaType string
	start     string
	offset    int // of rest
	rest      string
}

func (s signature) matches(head []byte) bool {
	return bytes.HasPrefix(head, []byte(s.start)) &&
		len(head) >= s.offset && bytes.HasPrefix(head[s.offset:], []byte(s.rest))
}

var signatures = []signature{
	{mediaType: "image/jpeg", start: "\xff\xd8\xff"},
	{mediaType: "image/png", start: "\x89PNG\r\n\x1a\n"},
	{mediaType: "image/gif", start: "GIF87a"},
	{mediaType: "image/gif", start: "GIF89a"},
	{mediaType: "image/webp", start: "RIFF", offset: 8, rest: "WEBPVP8"},
	{mediaType: "image/tiff", start: "II*\x00"},
	{mediaType: "image/tiff", start: "MM\x00*"},
	{mediaType: "image/bmp", start: "BM", offset: 6, rest: "\x00\x00\x00\x00"},
	{mediaType: "audio/wav", start: "RIFF", offset: 8, rest: "WAVE"},
	{mediaType: "video/x-msvideo", start: "RIFF", offset: 8, rest: "AVI "},
	{mediaType: "audio/flac", start: "fLaC"},
	{mediaType: "audio/mpeg", start: "ID3"},
	{mediaType: "audio/ogg", start: "OggS\x00", offset: 28, rest: "\x01vorbis"},
	{mediaType: "audio/ogg", start: "OggS\x00", offset: 28, rest: "OpusHead"},
	{mediaType: "audio/ogg", start: "OggS\x00", offset: 28, rest: "\x7fFLAC"},
	{mediaType: "video/ogg", start: "OggS\x00", offset: 28, rest: "\x80theora"},
	{mediaType: "audio/aiff", start: "FORM", offset: 8, rest: "AIFF"},
	{mediaType: "video/mpeg", start: "\x00\x00\x01\xba"},
	{mediaType: "application/pdf", start: "%PDF-"},
	{mediaType: "application/zip", start: "PK\x03\x04"},
}

func isMPEGAudio(head []byte) bool {
	return len(head) >= 2 && head[0] == 0xff && head[1]&0xe0 == 0xe0
}

// mpegAudio needs the name because its sync word is only eleven bits long.
func mpegAudio(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp3":
		return "audio/mpeg"
	case ".aac":
		return "audio/aac"
	}
	return Unknown
}

func matroska(head []byte) string {
	if bytes.Contains(head[:min(len(head), 64)], []byte("webm")) {
		return "video/webm"
	}
	return "video/x-matroska"
}
