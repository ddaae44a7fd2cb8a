package mediatype

import (
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	ogg := "OggS\x00" + strings.Repeat("\x00", 23)
	tests := []struct {
		head, name, want string
		inline           bool
	}{
		{"\xff\xd8\xff\xe0\x00\x10JFIF", "a.jpg", "image/jpeg", true},
		{"\x89PNG\r\n\x1a\n", "a.png", "image/png", true},
		{"GIF89a......", "a.gif", "image/gif", true},
		{"RIFF\x00\x00\x00\x00WEBPVP8L", "a.webp", "image/webp", true},
		{"II*\x00\x08\x00", "a.tif", "image/tiff", true},
		{"BM\x36\x00\x00\x00\x00\x00\x00\x00", "a.bmp", "image/bmp", true},
		{"BMW is a maker of cars", "a.bmp", Unknown, false},
		{"RIFF\x00\x00\x00\x00WAVEfmt ", "a.wav", "audio/wav", true},
		{"RIFF\x00\x00\x00\x00AVI LIST", "a.avi", "video/x-msvideo", true},
		{"fLaC\x00", "a.flac", "audio/flac", true},
		{"ID3\x04", "a.mp3", "audio/mpeg", true},
		{"\xff\xfb\x90\x00", "a.MP3", "audio/mpeg", true},
		{"\xff\xf1\x50\x80", "a.aac", "audio/aac", true},
		{"\xff\xfb\x90\x00", "a.html", Unknown, false},
		{ogg + "\x01vorbis", "a.ogg", "audio/ogg", true},
		{ogg + "OpusHead", "a.opus", "audio/ogg", true},
		{ogg + "\x80theora", "a.ogv", "video/ogg", true},
		{ogg, "a.ogg", Unknown, false},
		{"\x00\x00\x01\xba", "a.mpg", "video/mpeg", true},
		{"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "a.mp4", "video/mp4", true},
		{"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "a.mov", "video/quicktime", true},
		{"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a.heic", "image/heic", true},
		{"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "a.heic", "image/heic", true},
		{"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "a.avif", "image/avif", true},
		{"\x00\x00\x00\x10ftypmif1\x00\x00\x00\x00", "a.heif", "image/heif", true},
		{"\xff\xff\xff\xffftypmif1\x00\x00\x00", "a.heif", "image/heif", true},
		{"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "a.avif", "image/avif", true},
		{"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", "a.m4a", "audio/mp4", true},
		{"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "a.webm", "video/webm", true},
		{"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "a.mkv", "video/x-matroska", true},
		{"%PDF-1.7", "a.pdf", "application/pdf", false},
		{"PK\x03\x04", "a.zip", "application/zip", false},
		{"<!DOCTYPE html><script>", "a.jpg", Unknown, false},
		{"<html>", "a.html", Unknown, false},
		{"<svg xmlns=", "a.svg", Unknown, false},
		{"<?xml version=", "a.xml", Unknown, false},
		{"alert(1)", "a.js", Unknown, false},
		{"plain text", "a.txt", Unknown, false},
		{"", "empty.jpg", Unknown, false},
		{"\xff", "a.mp3", Unknown, false},
		{"RIFF", "a.wav", Unknown, false},
	}
	for _, tt := range tests {
		got := Detect([]byte(tt.head), tt.name)
		if got != tt.want || Inline(got) != tt.inline {
			t.Errorf("Detect(%q, %q) = %q (inline %t), want %q (inline %t)", tt.head, tt.name, got, Inline(got), tt.want, tt.inline)
		}
	}
}

// FuzzDetect checks the promise of the package: no content and no name makes a
// browser see a page or a script.
func FuzzDetect(f *testing.F) {
	for _, seed := range []string{"<html>", "GIF89a<script>", "\x00\x00\x00\x18ftypmif1", "<!--ftypqt  ", "\xff\xfb"} {
		f.Add([]byte(seed), "page.html")
	}
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		got := Detect(head, name)
		for _, bad := range []string{"html", "xml", "svg", "script", "text/", "css"} {
			if strings.Contains(got, bad) {
				t.Errorf("Detect(%q, %q) = %q", head, name, got)
			}
		}
	})
}
