package mesh

import "testing"

func TestGrantAllows(t *testing.T) {
	tests := []struct {
		grant []string
		want  Permission
		ok    bool
	}{
		{[]string{"media:upload"}, "media:upload", true},
		{[]string{"media:upload"}, "media:read", false},
		{[]string{"media:*"}, "media:read", true},
		{[]string{"*:read"}, "posts:read", true},
		{[]string{"*:read"}, "posts:create", false},
		{[]string{"*"}, "anything:at-all", true},
		{[]string{"*:*"}, "anything:at-all", true},
		{[]string{"posts:*", "media:read"}, "media:read", true},
		{nil, "media:read", false},
		{[]string{"*"}, "", false},
		{[]string{"media:*"}, "media", false},
		{[]string{"media:*"}, "mediax:read", false},
	}
	for _, tt := range tests {
		grant, err := ParseGrant(tt.grant)
		if err != nil {
			t.Fatalf("grant %v: %v", tt.grant, err)
		}
		if got := grant.Allows(tt.want); got != tt.ok {
			t.Errorf("%v allows %q = %v, want %v", tt.grant, tt.want, got, tt.ok)
		}
	}
}

func TestParsePermissionRefuses(t *testing.T) {
	for _, s := range []string{"", ":", "media", "media:", ":read", "Media:read", "media:re ad", "a:b:c", "media:*x", "**", "me/dia:read"} {
		if _, err := ParsePermission(s); err == nil {
			t.Errorf("accepted %q", s)
		}
	}
}
