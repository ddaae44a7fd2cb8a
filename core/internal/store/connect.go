package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite" // the one that needs no C compiler
)

// driverName is what modernc.org/sqlite calls itself.
const driverName = "sqlite"

// readers is the size of the reading pool; more gained nothing when measured.
const readers = 4

// statementsKept bounds the prepared statements kept by a pool.
const statementsKept = 64

// How a connection is set up. Only the address does it for every connection of
// a pool; a PRAGMA sent later reaches one of them.
const (
	looseSetup  = "_busy_timeout=5000&_time_format=sqlite&_timezone=UTC&_defensive=1&_error_rc=1"
	commonSetup = looseSetup + "&_dqs=0"
	writerSetup = commonSetup + "&mode=rw&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_foreign_keys=on"
	readerSetup = commonSetup + "&mode=rw&_query_only=1"
	// migrationSetup leaves foreign keys off, because a step may rebuild a
	// table, and dropping the old one would delete the rows that refer to it. It
	// takes quotes loosely, as copySetup does, because SQLite goes through every
	// table's definition, and those of an imported file are not all ours.
	migrationSetup = looseSetup + "&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_foreign_keys=off"
	copySetup      = looseSetup + "&mode=ro"
)

// dsn addresses a database file, whatever characters its path has.
func dsn(path, setup string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive letter
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: setup}).String()
}

// connect opens both pools.
func (s *Store) connect() (err error) {
	if s.write, err = s.openPool(writerSetup, 1); err != nil { // first, because it turns the log on
		return fmt.Errorf("open writer: %w", err)
	}
	if s.read, err = s.openPool(readerSetup, readers+1); err != nil { // one is held
		return fmt.Errorf("open readers: %w", err)
	}
	if err := s.hold(); err != nil {
		return fmt.Errorf("open readers: %w", err)
	}
	return nil
}

func (s *Store) openPool(setup string, size int) (*gorm.DB, error) {
	connector, err := driver.NewConnector(dsn(s.Path, setup))
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(guarded{connector, s})
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	db, err := gorm.Open(dialector{&sqlite.Dialector{Conn: pool}}, &gorm.Config{
		SkipDefaultTransaction: true, // a single statement is atomic by itself
		PrepareStmt:            true,
		PrepareStmtMaxSize:     statementsKept,
		TranslateError:         true,
		NowFunc:                s.now,
		Logger:                 queryLog{s.Log},
	})
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}

func closePool(db *gorm.DB) error {
	if db == nil {
		return nil
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// dialector is GORM's for SQLite, except that it also understands the errors of
// the driver used here.
type dialector struct{ *sqlite.Dialector }

var _ gorm.ErrorTranslator = dialector{}

// Translate turns a constraint that was violated into GORM's error for it; the
// driver's own error stays in the chain.
func (dialector) Translate(err error) error {
	switch resultCode(err) {
	case codePrimaryKey, codeUnique:
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	case codeForeignKey:
		return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
	case codeCheck:
		return fmt.Errorf("%w: %w", gorm.ErrCheckConstraintViolated, err)
	}
	return err
}
