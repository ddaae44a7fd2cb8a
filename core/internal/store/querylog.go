package store

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// slowQuery is how long a statement may take before the log mentions it.
const slowQuery = 200 * time.Millisecond

// queryLog mentions slow statements, without their values. Failures are
// returned and logged by whoever handles them, so it leaves them alone.
type queryLog struct{ log hclog.Logger }

var (
	_ logger.Interface  = queryLog{}
	_ gorm.ParamsFilter = queryLog{}
)

// LogMode keeps the one mode there is.
func (q queryLog) LogMode(logger.LogLevel) logger.Interface { return q }

// Info drops the message.
func (queryLog) Info(context.Context, string, ...any) {}

// Warn drops the message.
func (queryLog) Warn(context.Context, string, ...any) {}

// Error drops the message.
func (queryLog) Error(context.Context, string, ...any) {}

// Trace is told about every statement.
func (q queryLog) Trace(_ context.Context, begin time.Time, statement func() (string, int64), _ error) {
	took := time.Since(begin)
	if took < slowQuery {
		return
	}
	sql, rows := statement()
	q.log.Warn("slow database statement", "sql", sql, "rows", rows, "took", took)
}

// ParamsFilter keeps the values out of what Trace sees.
func (queryLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
