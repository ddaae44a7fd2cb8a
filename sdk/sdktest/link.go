package sdktest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/salita-mesh/salita/sdk/control"
)

// link is a program that was started as a plugin, with the control plane open.
type link struct {
	*process
	place   place
	control *control.Client
	socket  string // of the control plane
	conn    *grpc.ClientConn
	http    *http.Client // once configured
	at      control.Endpoint
}

// startLink starts the program in the place and shakes hands.
func startLink(ctx context.Context, program string, at place, env []string) (*link, error) {
	own, err := newCredential()
	if err != nil {
		return nil, err
	}
	env = append(own.environ(at.sockets), append([]string{"TMPDIR=" + at.tmp}, env...)...)
	p, err := startProcess(program, nil, env, at.data)
	if err != nil {
		return nil, err
	}
	l := &link{process: p, place: at}
	if err := l.connect(ctx, own); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) connect(ctx context.Context, own credential) error {
	h, err := awaitHandshake(ctx, l.process, l.place.sockets)
	if err != nil {
		return err
	}
	if l.conn, err = h.dial(own); err != nil {
		return err
	}
	l.control, l.socket = control.NewClient(l.conn), h.path
	return nil
}

// close ends the process, if it has not ended, and everything about it.
func (l *link) close() {
	l.kill()
	if l.conn != nil {
		_ = l.conn.Close()
	}
	if l.http != nil {
		l.http.CloseIdleConnections()
	}
}

// environment is what the plugin is told.
func (l *link) environment() control.Environment {
	return control.Environment{
		DataDir: l.place.data, HomeDir: l.place.home, SocketDir: l.place.sockets,
		DeviceName: deviceName, GatewayVersion: gatewayVersion, LogLevel: "debug", Features: control.Features(),
	}
}

// What a plugin is told unless a test says otherwise.
const (
	deviceName     = "Test device"
	gatewayVersion = "0.0.0-test"
)

// configure applies the configuration and checks where HTTP is served.
func (l *link) configure(ctx context.Context, config control.Config, env control.Environment) error {
	endpoint, _, err := l.control.Configure(ctx, config, env)
	if err != nil {
		return err
	}
	if err := checkEndpoint(l.place.sockets, endpoint); err != nil {
		return err
	}
	l.use(endpoint)
	return nil
}

func (l *link) use(endpoint control.Endpoint) {
	if l.at == endpoint {
		return
	}
	if l.http != nil {
		l.http.CloseIdleConnections()
	}
	l.at, l.http = endpoint, socketClient(endpoint.Address)
}

// socketClient is an HTTP client for a socket, that follows no redirects.
func socketClient(path string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			},
			DisableCompression:  true,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ended waits for the process after it was told to stop.
func (l *link) ended(ctx context.Context, limit time.Duration) error {
	code, err := l.waitFor(ctx, limit)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("it ended with %s, want exit code 0", l.ending())
	}
	return nil
}
