// Package web walks through the gateway's pages in a real browser: a desktop
// and a phone, light and dark, down to 320 px. Some tests run against a gateway
// made of canned answers, which can be made to fail in ways that a real one
// seldom does; the rest run against the built program.
package web
