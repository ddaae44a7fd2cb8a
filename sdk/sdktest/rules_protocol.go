package sdktest

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/salita-mesh/salita/sdk/control"
)

// newerGateway sends fields, features and a call that do not exist yet.
func newerGateway(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	l.control = control.NewClient(futureConn{l.conn})
	if _, err := l.control.Manifest(t.ctx); err != nil {
		return err
	}
	env := l.environment()
	env.Features = append(env.Features, "from-the-future")
	if err := l.configure(t.ctx, t.config("1"), env); err != nil {
		return fmt.Errorf("a configuration with unknown fields: %w", err)
	}
	err = l.conn.Invoke(t.ctx, "/salita.plugin.v1.Plugin/FromTheFuture", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.problem("a call that does not exist gives %v, want the status Unimplemented", err)
	}
	if err := l.works(t.ctx); err != nil {
		return err
	}
	return l.stop(t.ctx)
}

// futureConn adds fields to every message that no version has yet.
type futureConn struct{ grpc.ClientConnInterface }

// Invoke makes a call.
func (c futureConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if m, ok := args.(proto.Message); ok {
		addFuture(m.ProtoReflect())
	}
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}

func addFuture(m protoreflect.Message) {
	b := protowire.AppendTag(nil, 9001, protowire.VarintType)
	b = protowire.AppendVarint(b, 1)
	b = protowire.AppendTag(b, 9002, protowire.BytesType)
	m.SetUnknown(protowire.AppendString(b, "from the future"))
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && !field.IsMap() {
			addFuture(v.Message())
		}
		return true
	})
}

// olderGateway is one of the first version: no features, no way to other devices.
func olderGateway(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	env := l.environment()
	env.Features, env.HostSocket, env.LogLevel = nil, "", ""
	if err := l.configure(t.ctx, t.config(""), env); err != nil {
		return err
	}
	if err := l.works(t.ctx); err != nil {
		return err
	}
	return l.stop(t.ctx)
}

func watchable(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	if _, err := l.control.Manifest(t.ctx); err != nil {
		return err
	}
	if !l.control.Has(control.FeatureWatch) {
		return skipError("it has no events")
	}
	for range 2 {
		if err := t.watchAWhile(l); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- l.control.Watch(t.ctx, t.judge) }()
	for _, r := range t.manifest.Routes {
		if _, err := l.example(t.ctx, r); err != nil {
			return err
		}
	}
	if err := l.stop(t.ctx); err != nil {
		return fmt.Errorf("while it is watched: %w", err)
	}
	<-ended // with the process, at the latest
	return nil
}

// watchAWhile makes sure that the stream stays open until the watcher goes.
func (t *trial) watchAWhile(l *link) error {
	// A deadline would go to the plugin, which could end the stream first.
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	defer time.AfterFunc(moment, cancel).Stop()
	began := time.Now()
	if err := l.control.Watch(ctx, t.judge); ctx.Err() == nil {
		return fmt.Errorf("the stream of events ended by itself after %s: %v", time.Since(began).Round(time.Millisecond), err)
	}
	return l.works(t.ctx)
}

// judge checks one event.
func (t *trial) judge(e control.Event) error {
	if e.Published == nil {
		return nil
	}
	return e.Published.Validate(t.manifest.Name)
}
