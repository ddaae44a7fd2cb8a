package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/internal/private"
	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// AttachVariable is the environment variable in which a gateway is told which
// plugins not to start but to attach to, in a debugger for instance.
const AttachVariable = wire.AttachVariable

// ParseAttach reads the value of AttachVariable: "name=folder" pairs with commas
// between them. It returns the folder for each plugin; nil for "".
func ParseAttach(value string) (map[string]string, error) {
	if value == "" {
		return nil, nil
	}
	folders := make(map[string]string)
	for pair := range strings.SplitSeq(value, ",") {
		name, dir, ok := strings.Cut(pair, "=")
		if !ok || !sdk.ValidName(name) || !filepath.IsAbs(dir) || folders[name] != "" {
			return nil, fmt.Errorf("%s: %.200q: want name=folder pairs, each name once, with commas between them", AttachVariable, pair)
		}
		folders[name] = filepath.Clean(dir)
	}
	return folders, nil
}

// Attached is a plugin that somebody else started.
type Attached struct {
	*Client
	conn *grpc.ClientConn
	gone chan struct{}
}

// Attach connects to the plugin that waits in the folder, see sdk.Serve. The
// folder and the socket in it must belong to this user and be closed to everybody
// else, because nothing but that protects the connection.
func Attach(ctx context.Context, dir string) (*Attached, error) {
	path := filepath.Join(dir, wire.AttachSocket)
	if err := errors.Join(private.Check(dir), private.CheckSocket(path)); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	conn, err := grpc.NewClient("passthrough:plugin",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}),
		grpc.WithIdleTimeout(0), // an idle connection still tells that the plugin lives
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes)))
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	if err := connect(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("attach: %w", err)
	}
	a := &Attached{Client: NewClient(conn), conn: conn, gone: make(chan struct{})}
	go func() {
		defer close(a.gone)
		conn.WaitForStateChange(context.Background(), connectivity.Ready)
	}()
	return a, nil
}

// connect dials once: a socket that nobody serves is an answer, not a reason to
// wait.
func connect(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure:
			return errors.New("nobody serves the socket")
		}
		if !conn.WaitForStateChange(ctx, state) {
			return context.Cause(ctx)
		}
	}
}

// Gone is closed when the plugin has ended or Close was called.
func (a *Attached) Gone() <-chan struct{} { return a.gone }

// Close lets go of the plugin, which goes on waiting, and returns when Gone is
// closed.
func (a *Attached) Close() error {
	err := a.conn.Close()
	<-a.gone
	return err
}

// NewClient returns a client over an open connection to a plugin's control
// plane. Gateways get theirs from Dispense or Attach.
func NewClient(conn grpc.ClientConnInterface) *Client {
	return &Client{stub: pluginv1.NewPluginClient(conn)}
}
