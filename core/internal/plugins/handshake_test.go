package plugins

import (
	"strings"
	"testing"
)

func TestParseHandshake(t *testing.T) {
	good := "1|1|unix|/run/p|grpc|" + junkCertificate
	h, err := parseHandshake(good)
	if err != nil || h.network != "unix" || h.address != "/run/p" || h.version != 1 {
		t.Errorf("got %+v, %v", h, err)
	}
	if _, err := parseHandshake(good + "|true"); err != nil {
		t.Errorf("a seventh field: %v", err)
	}
	for line, want := range map[string]string{
		"1|1|unix":                             "cut short",
		"1|1|unix|p":                           "cut short",
		"2|1|unix|p|grpc|" + junkCertificate:   "version 2, this gateway's is 1: rebuild",
		"1|2|unix|p|grpc|" + junkCertificate:   "upgrade the gateway",
		"1|0|unix|p|grpc|" + junkCertificate:   "upgrade the plugin",
		"1|1|unix|p|netrpc|" + junkCertificate: "netrpc",
		"1|1|unix|p|grpc":                      "no certificate",
		"1|1|unix|p|grpc|short":                "no certificate",
	} {
		if _, err := parseHandshake(line); err == nil || !strings.Contains(err.Error(), want) || !isPermanent(err) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestLooksLikeHandshake(t *testing.T) {
	for line, want := range map[string]bool{
		"1|1|unix|x": true, "12|345|": true, "1|1": false, "": false, "a|1|x": false, "1|b|x": false, "|1|x": false,
		"hello 1|1|x": false, "1234567890|1|x": false, "-1|1|x": false,
	} {
		if got := looksLikeHandshake(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func FuzzParseHandshake(f *testing.F) {
	f.Add("1|1|unix|/run/p|grpc|" + junkCertificate)
	f.Fuzz(func(t *testing.T, line string) {
		if !looksLikeHandshake(line) {
			return
		}
		h, err := parseHandshake(line)
		if err == nil && (h.protocol != "grpc" || h.core != 1 || h.version != 1 || len(h.certificate) <= minCertificate) {
			t.Fatalf("accepted %+v", h)
		}
	})
}
