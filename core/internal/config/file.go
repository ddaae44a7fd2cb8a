package config

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// fileSchema is the file as it is written. Values stay unread at first, so that
// every remark on one can say where it stands.
type fileSchema struct {
	Device *struct {
		Name *hcl.Attribute `hcl:"name,optional"`
	} `hcl:"device,block"`
	Server *struct {
		Address *hcl.Attribute `hcl:"address,optional"`
		Names   *hcl.Attribute `hcl:"names,optional"`
	} `hcl:"server,block"`
	Discovery *struct {
		MDNS     *hcl.Attribute `hcl:"mdns,optional"`
		Interval *hcl.Attribute `hcl:"interval,optional"`
		Timeout  *hcl.Attribute `hcl:"timeout,optional"`
	} `hcl:"discovery,block"`
	Tokens *struct {
		Lifetime    *hcl.Attribute `hcl:"lifetime,optional"`
		RenewWithin *hcl.Attribute `hcl:"renew_within,optional"`
	} `hcl:"tokens,block"`
	Pairing *struct {
		Window   *hcl.Attribute `hcl:"window,optional"`
		Attempts *hcl.Attribute `hcl:"attempts,optional"`
		Grant    *hcl.Attribute `hcl:"grant,optional"`
	} `hcl:"pairing,block"`
	Storage *struct {
		Path *hcl.Attribute `hcl:"path,optional"`
	} `hcl:"storage,block"`
	Log *struct {
		Level  *hcl.Attribute `hcl:"level,optional"`
		Format *hcl.Attribute `hcl:"format,optional"`
	} `hcl:"log,block"`
	Certificate *certificateSchema `hcl:"certificate,block"`

	PluginDirs *hcl.Attribute `hcl:"plugin_dirs,optional"`
	Plugins    []pluginSchema `hcl:"plugin,block"`
}

// certificateSchema is the certificate block.
type certificateSchema struct {
	Word hcl.Range      `hcl:",type_range"`
	File *hcl.Attribute `hcl:"file,optional"`
	Key  *hcl.Attribute `hcl:"key,optional"`
}

// The longest durations that make sense; anything beyond is a slip of the pen.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = 24 * time.Hour
	maxTimeout  = time.Minute
	maxLifetime = 10 * 365 * 24 * time.Hour
	maxWindow   = time.Hour
	maxAttempts = 20
)

// decode reads the file over what is in c already.
func decode(source []byte, filename string, c *Config) hcl.Diagnostics {
	if diags := checkNesting(source, filename); diags.HasErrors() {
		return diags
	}
	file, diags := hclsyntax.ParseConfig(source, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return inOrder(diags)[:1] // the others follow from the first
	}
	body := file.Body.(*hclsyntax.Body) // what ParseConfig documents
	var schema fileSchema
	if diags := gohcl.DecodeBody(body, nil, &schema); diags.HasErrors() {
		return inOrder(hintAtConfigBlock(diags, body))
	}
	r := &reader{}
	r.core(&schema, c)
	c.Plugins = r.plugins(schema.Plugins, configBlocks(body, source))
	return inOrder(r.diags)
}

// core reads the gateway's own blocks.
func (r *reader) core(f *fileSchema, c *Config) {
	if b := f.Device; b != nil {
		r.text(b.Name, &c.Device.Name, nameRule())
	}
	if b := f.Server; b != nil {
		r.text(b.Address, &c.Server.Address, addressRule())
		r.list(b.Names, &c.Server.Names, hostRule())
	}
	if b := f.Discovery; b != nil {
		r.truth(b.MDNS, &c.Discovery.MDNS)
		r.duration(b.Interval, &c.Discovery.Interval, minInterval, maxInterval)
		r.duration(b.Timeout, &c.Discovery.Timeout, time.Millisecond, maxTimeout)
	}
	if b := f.Tokens; b != nil {
		r.duration(b.Lifetime, &c.Tokens.Lifetime, time.Millisecond, maxLifetime)
		r.duration(b.RenewWithin, &c.Tokens.RenewWithin, time.Millisecond, maxLifetime)
		r.renewal(&c.Tokens, b.RenewWithin)
	}
	if b := f.Pairing; b != nil {
		r.duration(b.Window, &c.Pairing.Window, time.Millisecond, maxWindow)
		r.number(b.Attempts, &c.Pairing.Attempts, 1, maxAttempts)
		r.grant(b.Grant, &c.Pairing.Grant)
	}
	if b := f.Storage; b != nil {
		r.text(b.Path, &c.Storage.Path, pathRule())
	}
	if b := f.Log; b != nil {
		r.text(b.Level, &c.Log.Level, levelRule())
		r.text(b.Format, &c.Log.Format, formatRule())
	}
	if b := f.Certificate; b != nil {
		r.certificate(b, &c.Certificate)
	}
	r.list(f.PluginDirs, &c.PluginDirs, pathRule())
}

// renewal makes the two times of tokens fit together. A short lifetime alone
// brings a shorter renewal, in the proportion of the defaults.
func (r *reader) renewal(t *Tokens, renewWithin *hcl.Attribute) {
	switch {
	case t.RenewWithin < t.Lifetime:
	case renewWithin == nil:
		standard := Default().Tokens
		t.RenewWithin = t.Lifetime / (standard.Lifetime / standard.RenewWithin)
	default:
		r.remark(renewWithin.Expr.Range(), "Wrong value for renew_within",
			"Expected less than lifetime, which is %s.", short(t.Lifetime))
	}
}

// certificate reads the two paths; one alone is of no use.
func (r *reader) certificate(b *certificateSchema, c *Certificate) {
	if b.File == nil || b.Key == nil {
		r.remark(b.Word, "Incomplete certificate block",
			"Expected both file, the path of the certificate, and key, the path of its private key.")
	}
	r.text(b.File, &c.File, pathRule())
	r.text(b.Key, &c.Key, pathRule())
}

func (r *reader) grant(attr *hcl.Attribute, into *mesh.Grant) {
	permissions := into.Strings()
	r.list(attr, &permissions, permissionRule())
	// Each one was checked; on an error the Config is thrown away anyway.
	*into, _ = mesh.ParseGrant(permissions)
}

// inOrder sorts the remarks by place: gohcl finds them in the order of a map.
func inOrder(diags hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return place(a).Byte - place(b).Byte
	})
	return diags
}

func place(d *hcl.Diagnostic) hcl.Pos {
	if d.Subject == nil {
		return hcl.InitialPos
	}
	return d.Subject.Start
}
