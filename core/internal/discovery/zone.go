package discovery

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// How long others may rely on a record, in seconds (RFC 6762, section 10).
	hostTTL  = 120  // what depends on this machine's addresses and port
	otherTTL = 4500 // the rest
	// legacyTTL is the most that a resolver which does not know multicast DNS is
	// told (RFC 6762, section 6.7).
	legacyTTL = 10

	maxLabel = 63 - len("-999999") // room for the number after a conflict
	// maxOwnAddresses bounds how many addresses of one interface are announced.
	maxOwnAddresses = 16
)

// zone is what this gateway announces on one interface.
type zone struct {
	label     string // of the instance and of the host
	port      uint16
	text      string
	addresses []netip.Addr
}

func (z zone) instance() string { return z.label + "." + serviceName }
func (z zone) host() string     { return z.label + ".local." }

func (z zone) equal(o zone) bool {
	return z.label == o.label && z.port == o.port && z.text == o.text && slices.Equal(z.addresses, o.addresses)
}

// pointer is the shared record by which the gateway is found.
func (z zone) pointer() record {
	return record{name: serviceName, typ: dnsmessage.TypePTR, ttl: otherTTL, target: z.instance()}
}

func (z zone) catalogue() record {
	return record{name: catalogueName, typ: dnsmessage.TypePTR, ttl: otherTTL, target: serviceName}
}

// service are the records of the instance.
func (z zone) service() []record {
	return []record{
		{name: z.instance(), typ: dnsmessage.TypeSRV, unique: true, ttl: hostTTL, target: z.host(), port: z.port},
		{name: z.instance(), typ: dnsmessage.TypeTXT, unique: true, ttl: otherTTL, text: z.text},
	}
}

// hosts are the records of the host.
func (z zone) hosts() []record {
	var out []record
	for _, a := range z.addresses {
		typ := dnsmessage.TypeAAAA
		if a.Is4() {
			typ = dnsmessage.TypeA
		}
		out = append(out, record{name: z.host(), typ: typ, unique: true, ttl: hostTTL, addr: a})
	}
	return out
}

// unique are the records whose names nobody else may have.
func (z zone) unique() []record { return slices.Concat(z.service(), z.hosts()) }

// announcement is everything, as it is sent unasked.
func (z zone) announcement() []record { return append([]record{z.pointer()}, z.unique()...) }

// absent says which types the name has and so that it has no others.
func (z zone) absent(name string) record {
	var types []dnsmessage.Type
	for _, r := range z.unique() {
		if r.name == name {
			types = append(types, r.typ)
		}
	}
	slices.Sort(types)
	return record{
		name: name, typ: typeNSEC, unique: true, ttl: hostTTL,
		text: absence(name, slices.Compact(types)),
	}
}

// owns reports whether the name is this gateway's alone.
func (z zone) owns(name string) bool { return name == z.instance() || name == z.host() }

// answer returns the records that answer the question, none when it is not for
// us to answer.
func (z zone) answer(q question) []record {
	all := z.announcement()
	if q.name == catalogueName {
		all = []record{z.catalogue()}
	}
	var out []record
	for _, r := range all {
		if r.name == q.name && (q.typ == r.typ || q.typ == dnsmessage.TypeALL) {
			out = append(out, r)
		}
	}
	if len(out) == 0 && z.owns(q.name) {
		return []record{z.absent(q.name)}
	}
	return out
}

// besides are the records that whoever asked for the answers will want next
// (RFC 6763, section 12).
func (z zone) besides(answers []record) []record {
	var out []record
	add := func(list ...record) {
		for _, r := range list {
			if !slices.Contains(answers, r) && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	for _, r := range answers {
		switch {
		case r.typ == dnsmessage.TypePTR && r.name == serviceName:
			add(z.unique()...)
		case r.name == z.instance():
			add(z.hosts()...)
		case r.name == z.host() && r.typ != typeNSEC:
			add(z.hosts()...)
		}
	}
	return out
}

// contradicts reports whether the record claims a name of ours for something
// else, or other data for it.
func (z zone) contradicts(r record) bool {
	if !z.owns(r.name) || r.ttl == 0 || r.typ == dnsmessage.TypePTR {
		return false
	}
	return !slices.ContainsFunc(z.unique(), func(own record) bool { return own.key() == r.key() })
}

// relabel is the label to try after so many conflicts over the wanted one.
func relabel(wanted string, conflicts int, random func(n int) int) string {
	if conflicts == 0 {
		return wanted
	}
	if conflicts < 9 {
		return fmt.Sprintf("%s-%d", wanted, conflicts+1)
	}
	return fmt.Sprintf("%s-%d", wanted, 100_000+random(900_000))
}
