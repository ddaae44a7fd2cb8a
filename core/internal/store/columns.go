package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// stored is a time in the form that the database keeps: UTC, and no finer than
// a microsecond, so that what is read back equals what was written.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// storedOrNull is NULL for the zero time.
func storedOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stored(t)
	return &t
}

// orZero is the zero time for NULL.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// digest is a 32-byte hash in a BLOB column; the zero hash is NULL.
type digest [32]byte

// Value implements driver.Valuer.
func (d digest) Value() (driver.Value, error) {
	if d == (digest{}) {
		return nil, nil
	}
	return d[:], nil
}

// Scan implements sql.Scanner.
func (d *digest) Scan(src any) error {
	*d = digest{}
	if src == nil {
		return nil
	}
	b, ok := src.([]byte)
	if !ok || len(b) != len(d) {
		return fmt.Errorf("digest: want %d bytes, got %T of length %d", len(d), src, len(b))
	}
	copy(d[:], b)
	return nil
}

// list is a JSON array of strings in a TEXT column; nil is stored as empty.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if l == nil {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan implements sql.Scanner. An empty array is nil.
func (l *list) Scan(src any) error {
	*l = nil
	if err := scanJSON(src, (*[]string)(l)); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if len(*l) == 0 {
		*l = nil
	}
	return nil
}

// labels is a JSON object in a TEXT column. Values other than strings, as an
// earlier Salita wrote them, are read as the JSON text they are.
type labels map[string]string

// Value implements driver.Valuer.
func (l labels) Value() (driver.Value, error) {
	if l == nil {
		return "{}", nil
	}
	b, err := json.Marshal(map[string]string(l))
	return string(b), err
}

// Scan implements sql.Scanner. An empty object is nil.
func (l *labels) Scan(src any) error {
	*l = nil
	var values map[string]json.RawMessage
	if err := scanJSON(src, &values); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	if len(values) == 0 {
		return nil
	}
	*l = make(labels, len(values))
	for key, raw := range values {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			text = string(raw)
		}
		(*l)[key] = text
	}
	return nil
}

func scanJSON(src, dst any) error {
	switch src := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(src), dst)
	case []byte:
		return json.Unmarshal(src, dst)
	}
	return fmt.Errorf("cannot read JSON from %T", src)
}
