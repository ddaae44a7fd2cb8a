package mesh

import "testing"

func TestKeyHashText(t *testing.T) {
	k := KeyHash{0: 1, 31: 0xff}
	got, err := ParseKeyHash(k.String())
	if err != nil || got != k {
		t.Fatalf("ParseKeyHash(%q) = %v, %v", k, got, err)
	}
	if len(k.DeviceID()) != 26 || k.String()[:25] != string(k.DeviceID())[:25] {
		t.Errorf("device id %q does not begin as the key hash %q does", k.DeviceID(), k)
	}
	for _, s := range []string{"", "a", k.String() + "a", k.String()[:51] + "!", k.String()[:51] + "1"} {
		if _, err := ParseKeyHash(s); err == nil {
			t.Errorf("accepted %q", s)
		}
	}
}

func TestNewDeviceIDIsFresh(t *testing.T) {
	if a, b := NewDeviceID(), NewDeviceID(); a == b || len(a) != 26 {
		t.Errorf("ids %q and %q", a, b)
	}
}
