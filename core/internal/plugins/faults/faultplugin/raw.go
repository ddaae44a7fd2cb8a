//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// raw is a plugin made without the SDK: it writes its messages byte by byte, and
// so can be one of another age, or send what no encoder would.
type raw struct {
	title    string
	features []string
	newer    bool   // every message has fields that nobody knows yet
	endpoint string // where it says it serves; "" is the truth
	stdout   int    // bytes it writes to standard output at each health check
}

var rawModes = map[string]raw{
	"old":          {title: "Photos"},
	"future":       {title: "Photos", features: []string{"watch", "teleport"}, newer: true},
	"utf8":         {title: "Ph\xff\xfetos"},
	"elsewhere":    {title: "Photos", endpoint: "foreign"},
	"nowhere":      {title: "Photos", endpoint: "missing"},
	"overstdout":   {title: "Photos", stdout: 70 << 10},
	"anotherstyle": {title: "Фотографии и видео"},
}

// run serves until standard input ends.
func (p raw) run(name string) int {
	out, err := syscall.Dup(1) // go-plugin puts its own in place
	if err != nil {
		return 1
	}
	stopped := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stopped)
	}()
	go goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: cookieKey, MagicCookieValue: os.Getenv(cookieKey)},
		VersionedPlugins: map[int]goplugin.PluginSet{1: {"plugin": &rawPlugin{raw: p, name: name, out: out}}},
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.ForceServerCodec(rawCodec{}))...)
		},
	})
	<-stopped
	return 0
}

// rawPlugin is the plugin for go-plugin.
type rawPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	raw
	name string
	out  int
	at   string // where it serves
}

var _ goplugin.GRPCPlugin = (*rawPlugin)(nil)

// GRPCClient is for gateways.
func (*rawPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	panic("a plugin calls nobody")
}

// GRPCServer registers the calls that the first gateways knew.
func (p *rawPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	calls := map[string]func(message) (message, error){
		"GetManifest":    func(message) (message, error) { return p.message().bytes(1, p.manifest()), nil },
		"ValidateConfig": func(message) (message, error) { return p.message(), nil },
		"Configure":      p.configure,
		"CheckHealth":    p.checkHealth,
		"Shutdown":       func(message) (message, error) { return p.message(), nil },
	}
	service := grpc.ServiceDesc{ServiceName: "salita.plugin.v1.Plugin", HandlerType: (*any)(nil)}
	for name, call := range calls {
		service.Methods = append(service.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var in message
				if err := decode(&in); err != nil {
					return nil, err
				}
				return call(in)
			},
		})
	}
	s.RegisterService(&service, p)
	return nil
}

// message is a new one, with what is to be in each.
func (p *rawPlugin) message() message {
	if !p.newer {
		return nil
	}
	var m message
	m = m.bytes(900, []byte("from the future"))
	return m.number(901, 1<<40).text(77, "\x00")
}

func (p *rawPlugin) manifest() message {
	route := p.message().text(1, "GET /"+p.name+"/{what}").text(2, p.name+":read")
	m := p.message().text(1, p.name).text(2, "0.1").text(3, p.title).bytes(5, route)
	m = m.bytes(4, p.message().text(1, p.name+".storage").text(2, "Can store media"))
	for _, f := range p.features {
		m = m.text(7, f)
	}
	return m
}

func (p *rawPlugin) configure(in message) (message, error) {
	if p.at == "" {
		p.at = filepath.Join(string(in.field(2).field(4)), "h")
		l, err := net.Listen("unix", p.at)
		if err != nil {
			return nil, err
		}
		go func() { _ = http.Serve(l, http.HandlerFunc(p.serve)) }()
	}
	at := p.at
	switch p.endpoint {
	case "foreign":
		_, at, _ = strings.Cut(fromFile("foreign", ""), "|")
	case "missing":
		at = p.at + "-not"
	}
	return p.message().bytes(3, p.message().text(1, "unix").text(2, at)), nil
}

func (p *rawPlugin) checkHealth(message) (message, error) {
	if p.stdout > 0 {
		_, _ = syscall.Write(p.out, []byte(strings.Repeat("o", p.stdout)+"\n"))
		note("stdout", "%d", time.Now().UnixNano())
	}
	return p.message().number(1, 1), nil
}

func (p *rawPlugin) serve(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello from %s %s", r.Method, r.URL)
}

// message is a protobuf message in its wire form.
type message []byte

func (m message) bytes(field protowire.Number, value []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), value)
}

func (m message) text(field protowire.Number, value string) message {
	return m.bytes(field, []byte(value))
}

func (m message) number(field protowire.Number, value uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), value)
}

// field finds the last value of a field that is text or a message.
func (m message) field(wanted protowire.Number) (found message) {
	for len(m) > 0 {
		field, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return found
		}
		m = m[n:]
		if n = protowire.ConsumeFieldValue(field, kind, m); n < 0 {
			return found
		}
		if field == wanted && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(m)
			found = value
		}
		m = m[n:]
	}
	return found
}

// rawCodec leaves messages as they are; go-plugin's own calls are no messages.
type rawCodec struct{}

// Name is that of the usual codec.
func (rawCodec) Name() string { return "proto" }

// Marshal is for answers.
func (rawCodec) Marshal(v any) ([]byte, error) {
	if m, ok := v.(message); ok {
		return m, nil
	}
	return proto.Marshal(v.(proto.Message))
}

// Unmarshal is for requests.
func (rawCodec) Unmarshal(data []byte, v any) error {
	if m, ok := v.(*message); ok {
		*m = append((*m)[:0], data...)
		return nil
	}
	return proto.Unmarshal(data, v.(proto.Message))
}
