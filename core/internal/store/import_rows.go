package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// legacyRow is a row of a table whose columns are not known for sure: a missing
// one reads as NULL, and any value may be of any type.
type legacyRow map[string]any

// rows reads a whole table of the earlier Salita; there may be no such table.
func (i *legacyImport) rows(ctx context.Context, table string) ([]legacyRow, error) {
	name, ok := i.moved[table]
	if !ok {
		return nil, nil
	}
	found, err := i.tx.QueryContext(ctx, `SELECT * FROM `+quoted(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	var all []legacyRow
	for found.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for n := range values {
			targets[n] = &values[n]
		}
		if err := found.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		row := make(legacyRow, len(columns))
		for n, column := range columns {
			row[column] = values[n]
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// text is a column as text; NULL is "".
func (r legacyRow) text(column string) string {
	switch v := r[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// integer is a column as a whole number.
func (r legacyRow) integer(column string) (int64, bool) {
	n, err := strconv.ParseInt(r.text(column), 10, 64)
	return n, err == nil
}

// yes is a column as a truth value.
func (r legacyRow) yes(column string) bool {
	switch r.text(column) {
	case "", "0", "false":
		return false
	}
	return true
}

// port is a column as a port; 0 is none.
func (r legacyRow) port(column string) (int, bool) {
	n, ok := r.integer(column)
	if !ok || n < 0 || n > 65535 {
		return 0, false
	}
	return int(n), true
}

// address is where the device can be called, if host and port make an address.
func (r legacyRow) address() (string, bool) {
	host := r.text("hostname")
	port, _ := r.port("port")
	_, err := netip.ParseAddr(host)
	if port == 0 || err != nil && !isHostName(host) {
		return "", false
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), true
}

// isHostName accepts what could be a name on some network; whether it is one
// turns out when it is called.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c == 0x7f || strings.ContainsRune(`:/\?#@[]"<>%`, c)
	})
}

// timeFormats are those that the earlier Salita wrote: SQLite's own and, by its
// program, two more. A fraction of a second may follow in each.
var timeFormats = [...]string{
	time.DateTime, time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05",
}

// time is a column as a time; those without a zone are UTC.
func (r legacyRow) time(column string) (time.Time, bool) {
	text := r.text(column)
	for _, format := range timeFormats {
		if t, err := time.Parse(format, text); err == nil && !t.IsZero() {
			return stored(t), true
		}
	}
	return time.Time{}, false
}

// json is the whole row for a note.
func (r legacyRow) json() string {
	readable := make(map[string]any, len(r))
	for column, value := range r {
		if b, ok := value.([]byte); ok {
			value = string(b)
		}
		readable[column] = value
	}
	text, err := json.Marshal(readable)
	if err != nil { // a number that JSON lacks
		return fmt.Sprint(readable)
	}
	return string(text)
}
