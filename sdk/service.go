package sdk

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// service is the plugin's side of the control plane. Configure and Shutdown
// take turns; the other calls answer at any time.
type service struct {
	pluginv1.UnimplementedPluginServer
	definition definition
	log        *slog.Logger
	level      *slog.LevelVar
	ownProcess bool // attached to: nobody chose the process's working folder yet
	launched   bool // by the gateway, which is a parent of this process
	gate       *gate
	feed       *feed
	life       context.Context // ends when the plugin begins to stop
	die        context.CancelFunc
	stopped    chan struct{} // closed when Shutdown is about to answer

	mu       sync.Mutex
	http     *httpServer // nil before the first Configure
	host     Host
	hostAt   string // the socket behind host
	revision string
	retiring sync.WaitGroup // generations that finish their requests
	stopping bool
}

var _ pluginv1.PluginServer = (*service)(nil)

func newService(d definition, log *slog.Logger, level *slog.LevelVar) *service {
	life, die := context.WithCancel(context.Background())
	return &service{
		definition: d,
		log:        log,
		level:      level,
		gate:       newGate(d.manifest.Routes, log),
		feed:       newFeed(d.manifest.Name, log),
		life:       life,
		die:        die,
		stopped:    make(chan struct{}),
	}
}

// GetManifest answers the manifest as the author wrote it.
func (s *service) GetManifest(context.Context, *pluginv1.GetManifestRequest) (*pluginv1.GetManifestResponse, error) {
	return &pluginv1.GetManifestResponse{Manifest: manifestToWire(s.definition.manifest)}, nil
}

// ValidateConfig decodes and checks, and forgets the result.
func (s *service) ValidateConfig(_ context.Context, req *pluginv1.ValidateConfigRequest) (*pluginv1.ValidateConfigResponse, error) {
	_, diags := s.definition.decode(configFromWire(req.GetConfig()))
	return &pluginv1.ValidateConfigResponse{Diagnostics: diags.wire()}, nil
}

// CheckHealth passes on what the author's handler says.
func (s *service) CheckHealth(ctx context.Context, _ *pluginv1.CheckHealthRequest) (*pluginv1.CheckHealthResponse, error) {
	gen := s.gate.current.Load()
	if gen == nil {
		return notServing(errors.New("not configured yet")), nil
	}
	if err := gen.checkHealth(ctx); err != nil {
		return notServing(err), nil
	}
	return &pluginv1.CheckHealthResponse{Status: pluginv1.HealthStatus_HEALTH_STATUS_SERVING}, nil
}

func notServing(err error) *pluginv1.CheckHealthResponse {
	return &pluginv1.CheckHealthResponse{
		Status:  pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING,
		Failure: failureToWire(err),
	}
}

// Configure builds a new generation from the configuration and puts it in force,
// unless the gateway gave up waiting for that.
func (s *service) Configure(call context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return &pluginv1.ConfigureResponse{Failure: failureToWire(errors.New("the plugin is stopping"))}, nil
	}
	revision := req.GetConfig().GetRevision()
	if s.http != nil && revision != "" && revision == s.revision {
		return &pluginv1.ConfigureResponse{Http: s.http.endpoint()}, nil
	}
	environment := req.GetEnvironment()
	setLevel(s.level, environment.GetLogLevel())
	build, diags := s.definition.decode(configFromWire(req.GetConfig()))
	if diags.failed() {
		return &pluginv1.ConfigureResponse{Diagnostics: diags.wire()}, nil
	}
	if err := s.apply(call, build, environment); err != nil {
		return &pluginv1.ConfigureResponse{Diagnostics: diags.wire(), Failure: failureToWire(err)}, nil
	}
	s.revision = revision
	return &pluginv1.ConfigureResponse{Diagnostics: diags.wire(), Http: s.http.endpoint()}, nil
}

// apply makes the handler, opens the socket if it is the first, and swaps. A
// failure leaves everything as it was.
func (s *service) apply(call context.Context, build build, environment *pluginv1.Environment) error {
	if s.ownProcess {
		if err := os.Chdir(environment.GetDataDir()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(s.life)
	inTime := context.AfterFunc(call, cancel)
	handler, err := build(ctx, Env{
		Logger:         s.log,
		DataDir:        environment.GetDataDir(),
		DeviceName:     environment.GetDeviceName(),
		HomeDir:        environment.GetHomeDir(),
		GatewayVersion: environment.GetGatewayVersion(),
		Events:         Events{s.feed},
		Host:           s.hostBehind(environment.GetHostSocket()),
	})
	if err != nil {
		cancel()
		return err
	}
	next := newGeneration(handler, cancel)
	if !inTime() {
		next.close()
		return errors.Join(errTooLate, next.shutdown(ctx))
	}
	if s.http == nil {
		server, err := openHTTP(environment.GetSocketDir(), s.gate, s.log, s.launched)
		if err != nil {
			next.close()
			return errors.Join(err, next.shutdown(ctx))
		}
		s.http = server
	}
	if previous := s.gate.swap(next); previous != nil {
		s.retiring.Go(func() { s.retire(previous) })
	}
	return nil
}

// errTooLate is a handler that was made when the gateway had given up waiting
// for it, and believes that the one before is in force.
var errTooLate = errors.New("the configuration took too long to apply")

// hostBehind returns the Host for the gateway's socket; all configurations share
// its connections.
func (s *service) hostBehind(path string) Host {
	if path != s.hostAt {
		s.host, s.hostAt = newHost(path), path
	}
	return s.host
}

// errReplaced ends a Watch in favour of a later one.
var errReplaced = status.Error(codes.Aborted, "another watcher has taken over")

// Watch sends events until the plugin has stopped. A later Watch takes over.
func (s *service) Watch(_ *pluginv1.WatchRequest, stream grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
	return s.feed.watch(stream.Context(), s.stopped, stream.Send)
}

// retireTimeout is how long the requests of a replaced handler may go on.
const retireTimeout = 10 * time.Minute

func (s *service) retire(old *generation) {
	old.close()
	ctx, cancel := context.WithTimeout(context.Background(), retireTimeout)
	defer cancel()
	if err := old.drain(ctx); err != nil {
		s.log.Warn("requests outlived their configuration", "error", err)
	}
	if err := old.shutdown(ctx); err != nil {
		s.log.Warn("earlier configuration did not close cleanly", "error", err)
	}
}

// Shutdown stops the plugin within the grace and answers.
func (s *service) Shutdown(_ context.Context, req *pluginv1.ShutdownRequest) (*pluginv1.ShutdownResponse, error) {
	s.stop(req.GetGrace().AsDuration())
	return &pluginv1.ShutdownResponse{}, nil
}

// stop refuses new requests, finishes those in flight within the grace, cuts
// the rest, and lets the author's handler close. A fifth of the grace is kept
// for that. Only the first call does anything; the others wait for it.
func (s *service) stop(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping = true
	defer close(s.stopped)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	drain, cancelDrain := context.WithTimeout(ctx, grace-grace/5)
	defer cancelDrain()

	s.die()
	gen := s.gate.current.Load()
	if gen == nil {
		return
	}
	gen.close()
	s.http.refuse()
	if err := gen.drain(drain); err != nil {
		s.log.Warn("requests were cut off", "error", err)
	}
	s.http.close(drain)
	if err := gen.shutdown(ctx); err != nil {
		s.log.Warn("plugin did not close cleanly", "error", err)
	}
	s.awaitRetired(ctx)
}

// awaitRetired waits for the generations before, whose requests were cut too.
func (s *service) awaitRetired(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.retiring.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
