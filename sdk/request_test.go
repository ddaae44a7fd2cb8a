package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestCaller(t *testing.T) {
	for _, c := range []struct {
		id, name, kind string
		want           CallerInfo
	}{
		{"", "", "owner", CallerInfo{Owner: true}},
		{"abc", "K%C3%BCche%20PC", "device", CallerInfo{DeviceID: "abc", Name: "Küche PC"}},
		{"abc", "%zz", "device", CallerInfo{DeviceID: "abc"}},
		{"", "", "", CallerInfo{}},
		{"", "", "OWNER", CallerInfo{}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(HeaderCallerID, c.id)
		r.Header.Set(HeaderCallerName, c.name)
		r.Header.Set(HeaderCallerKind, c.kind)
		if got := Caller(r); got != c.want {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestWriteErrorTellsPeopleAndLogApart(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		body   string
		level  string
	}{
		{errors.New("secret path /x"), 500, `{"error":"Something went wrong","code":"internal","reference":"7K3QF"}`, "ERROR"},
		{Errorf(NoSpace, "Full.").Because(errors.New("secret path /x")), 507, `{"error":"Full.","code":"no_space","reference":"7K3QF"}`, "INFO"},
		{&Error{Kind: Expired, Hint: "Show a new one.", Cause: errors.New("secret path /x")}, 410, `{"error":"This code has expired. Show a new one.","code":"expired","hint":"Show a new one.","reference":"7K3QF"}`, "INFO"},
	} {
		var log bytes.Buffer
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/notes/1", nil)
		r.Header.Set(HeaderReference, "7K3QF")
		WriteError(w, r, slog.New(slog.NewTextHandler(&log, nil)), c.err)
		if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		for _, text := range []string{"level=" + c.level, "reference=7K3QF", "secret path", "path=/notes/1"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("%q is not in the log: %s", text, &log)
			}
		}
	}
}

func TestWriteJSONOfAnImpossibleValue(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	WriteJSON(httptest.NewRecorder(), 200, func() {})
}

func ExampleWriteJSON() {
	w := httptest.NewRecorder()
	WriteJSON(w, http.StatusCreated, map[string]string{"id": "42"})
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Print(w.Body)
	// Output:
	// 201 application/json; charset=utf-8
	// {"id":"42"}
}

func ExampleWriteError() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler := func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, r, log, Errorf(NotFound, "This note is gone.").Because(errors.New("no row with id 7")))
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("GET", "/notes/7", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 404 {"error":"This note is gone.","code":"not_found"}
}

func ExampleCaller() {
	r := httptest.NewRequest("GET", "/notes", nil)
	r.Header.Set(HeaderCallerID, "mfzwizltoq")
	r.Header.Set(HeaderCallerName, "Anna's%20phone")
	r.Header.Set(HeaderCallerKind, "device")
	caller := Caller(r)
	fmt.Println(caller.Name, caller.Owner)
	// Output: Anna's phone false
}
