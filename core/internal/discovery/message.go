package discovery

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxPacket is the largest packet sent or read (RFC 6762, section 17).
	maxPacket = 9000
	// maxQuestions and maxRecords bound what one packet makes us keep in memory;
	// what comes after them is not looked at.
	maxQuestions = 64
	maxRecords   = 256

	typeNSEC = dnsmessage.Type(47)

	// topBit is the cache-flush bit of a record's class and the bit of a
	// question's class that asks for a unicast answer (RFC 6762, sections 10.2
	// and 5.4).
	topBit = 1 << 15
)

// errNotForUs is a well-formed packet that is not multicast DNS.
var errNotForUs = errors.New("not a query or response of multicast DNS")

// question is one question; its name is in lower case.
type question struct {
	name    string
	typ     dnsmessage.Type
	unicast bool // an answer by unicast will do
}

// record is one resource record. Its names are in lower case and end in a dot.
// What the type has no use for is zero, so two records say the same exactly
// when their keys are equal.
type record struct {
	name   string
	typ    dnsmessage.Type
	unique bool // the cache-flush bit: the sender owns the name
	ttl    uint32

	target string     // PTR, SRV
	port   uint16     // SRV
	rank   uint32     // SRV: priority, then weight
	text   string     // TXT, NSEC: the data as it is on the wire
	addr   netip.Addr // A, AAAA
}

// key is the record without what does not belong to its meaning.
func (r record) key() record {
	r.ttl, r.unique = 0, false
	return r
}

// message is one packet, reduced to what matters here.
type message struct {
	id          uint16
	response    bool
	truncated   bool // more known answers follow in another packet
	questions   []question
	answers     []record
	authorities []record
	additionals []record
}

// decode reads a packet from the network. Names that package dnsmessage cannot
// hold, those with a dot inside a label, are passed over with their record: no
// gateway has one. A packet that is damaged anywhere is refused whole.
func decode(packet []byte) (message, error) {
	if len(packet) > maxPacket {
		return message{}, fmt.Errorf("packet of %d bytes", len(packet))
	}
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil {
		return message{}, err
	}
	if header.OpCode != 0 || header.RCode != 0 {
		return message{}, errNotForUs
	}
	m := message{id: header.ID, response: header.Response, truncated: header.Truncated}
	if m.questions, err = decodeQuestions(&p); err != nil {
		return message{}, err
	}
	left := maxRecords
	for _, s := range []struct {
		section
		into *[]record
	}{
		{section{p.AnswerHeader, p.SkipAnswer}, &m.answers},
		{section{p.AuthorityHeader, p.SkipAuthority}, &m.authorities},
		{section{p.AdditionalHeader, p.SkipAdditional}, &m.additionals},
	} {
		*s.into, err = decodeSection(&p, s.section, &left)
		if err != nil {
			return message{}, err
		}
	}
	return m, nil
}

func decodeQuestions(p *dnsmessage.Parser) ([]question, error) {
	var out []question
	for {
		q, err := p.Question()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return out, nil
		}
		if err != nil {
			if err := p.SkipQuestion(); err != nil {
				return nil, err
			}
			continue
		}
		class := q.Class &^ topBit
		if len(out) < maxQuestions && (class == dnsmessage.ClassINET || class == dnsmessage.ClassANY) {
			out = append(out, question{name: lower(q.Name), typ: q.Type, unicast: q.Class&topBit != 0})
		}
	}
}

// section is how the parser walks through one section.
type section struct {
	header func() (dnsmessage.ResourceHeader, error)
	skip   func() error
}

func decodeSection(p *dnsmessage.Parser, s section, left *int) ([]record, error) {
	var out []record
	for {
		header, err := s.header()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return out, nil
		}
		if err == nil && *left > 0 && header.Class&^topBit == dnsmessage.ClassINET {
			if r, ok := decodeRecord(p, header); ok {
				out = append(out, r)
				*left--
				continue
			}
		}
		if err := s.skip(); err != nil {
			return nil, err
		}
	}
}

// decodeRecord reads the body of the record whose header was read last. It
// reports false, and leaves the body to be skipped, for types that do not
// matter and bodies that are wrong.
func decodeRecord(p *dnsmessage.Parser, h dnsmessage.ResourceHeader) (record, bool) {
	r := record{name: lower(h.Name), typ: h.Type, unique: h.Class&topBit != 0, ttl: h.TTL}
	switch h.Type {
	case dnsmessage.TypePTR:
		body, err := p.PTRResource()
		r.target = lower(body.PTR)
		return r, err == nil
	case dnsmessage.TypeSRV:
		body, err := p.SRVResource()
		r.target, r.port = lower(body.Target), body.Port
		r.rank = uint32(body.Priority)<<16 | uint32(body.Weight)
		return r, err == nil
	case dnsmessage.TypeTXT:
		body, err := p.TXTResource()
		r.text = joinStrings(body.TXT)
		return r, err == nil
	case dnsmessage.TypeA:
		if h.Length != 4 {
			return r, false
		}
		body, err := p.AResource()
		r.addr = netip.AddrFrom4(body.A)
		return r, err == nil
	case dnsmessage.TypeAAAA:
		if h.Length != 16 {
			return r, false
		}
		body, err := p.AAAAResource()
		r.addr = netip.AddrFrom16(body.AAAA)
		return r, err == nil
	}
	return r, false
}

// encode writes a packet.
func encode(m message) ([]byte, error) {
	out := dnsmessage.Message{Header: dnsmessage.Header{
		ID: m.id, Response: m.response, Authoritative: m.response, Truncated: m.truncated,
	}}
	for _, q := range m.questions {
		name, err := dnsmessage.NewName(q.name)
		if err != nil {
			return nil, fmt.Errorf("name %q: %w", q.name, err)
		}
		class := dnsmessage.ClassINET
		if q.unicast {
			class |= topBit
		}
		out.Questions = append(out.Questions, dnsmessage.Question{Name: name, Type: q.typ, Class: class})
	}
	for _, s := range []struct {
		from []record
		into *[]dnsmessage.Resource
	}{{m.answers, &out.Answers}, {m.authorities, &out.Authorities}, {m.additionals, &out.Additionals}} {
		for _, r := range s.from {
			resource, err := encodeRecord(r)
			if err != nil {
				return nil, err
			}
			*s.into = append(*s.into, resource)
		}
	}
	return out.Pack()
}

func encodeRecord(r record) (dnsmessage.Resource, error) {
	name, err := dnsmessage.NewName(r.name)
	if err != nil {
		return dnsmessage.Resource{}, fmt.Errorf("name %q: %w", r.name, err)
	}
	header := dnsmessage.ResourceHeader{Name: name, Type: r.typ, Class: dnsmessage.ClassINET, TTL: r.ttl}
	if r.unique {
		header.Class |= topBit
	}
	var body dnsmessage.ResourceBody
	switch r.typ {
	case dnsmessage.TypePTR, dnsmessage.TypeSRV:
		target, err := dnsmessage.NewName(r.target)
		if err != nil {
			return dnsmessage.Resource{}, fmt.Errorf("name %q: %w", r.target, err)
		}
		body = &dnsmessage.PTRResource{PTR: target}
		if r.typ == dnsmessage.TypeSRV {
			body = &dnsmessage.SRVResource{
				Priority: uint16(r.rank >> 16), Weight: uint16(r.rank), Port: r.port, Target: target,
			}
		}
	case dnsmessage.TypeTXT:
		body = &dnsmessage.TXTResource{TXT: splitStrings(r.text)}
	case dnsmessage.TypeA:
		body = &dnsmessage.AResource{A: r.addr.As4()}
	case dnsmessage.TypeAAAA:
		body = &dnsmessage.AAAAResource{AAAA: r.addr.As16()}
	default:
		body = &dnsmessage.UnknownResource{Type: r.typ, Data: []byte(r.text)}
	}
	return dnsmessage.Resource{Header: header, Body: body}, nil
}
