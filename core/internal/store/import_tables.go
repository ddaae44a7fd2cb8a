package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// clearWay makes room for our tables: those of the earlier Salita get another
// name, also the ones that will be dropped, so that nothing in the file goes on
// to refer to ours. A table that nobody knows keeps its name unless we need it.
func (i *legacyImport) clearWay(ctx context.Context) error {
	if err := i.dropPrograms(ctx); err != nil {
		return err
	}
	if err := i.dropIndexes(ctx); err != nil {
		return err
	}
	for _, table := range legacyTables() {
		err := i.renameTable(ctx, table.name)
		if err == nil && table.fate == drop {
			err = i.noteRows(ctx, table)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	if err := i.dropPasswords(ctx); err != nil {
		return err
	}
	return i.clearNames(ctx)
}

// object is a table, index, view or trigger.
type object struct {
	kind, name string
	table      string // that it belongs to
	statement  string // that made it; empty for an index that SQLite made itself
}

func (i *legacyImport) objects(ctx context.Context) ([]object, error) {
	rows, err := i.tx.QueryContext(ctx, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY type, name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []object
	for rows.Next() {
		var o object
		if err := rows.Scan(&o.kind, &o.name, &o.table, &o.statement); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// dropPrograms removes views and triggers. The earlier Salita had none, and
// whoever added them meant them for tables that no longer exist.
func (i *legacyImport) dropPrograms(ctx context.Context) error {
	all, err := i.objects(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.kind != "view" && o.kind != "trigger" {
			continue
		}
		if err := i.exec(ctx, `DROP `+o.kind+` `+quoted(o.name)); err != nil {
			return err
		}
		i.note(o.kind+" "+o.name, "It was made for tables that have changed.", o.statement)
	}
	return nil
}

// dropIndexes removes those of the earlier Salita's tables: whoever comes to need
// such a table knows best which it needs.
func (i *legacyImport) dropIndexes(ctx context.Context) error {
	all, err := i.objects(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		known := func(t legacyTable) bool { return t.name == o.table }
		if o.kind != "index" || !slices.ContainsFunc(legacyTables(), known) {
			continue
		}
		if err := i.exec(ctx, `DROP INDEX `+quoted(o.name)); err != nil {
			return err
		}
	}
	return nil
}

// noteRows says how many rows of a table mean nothing any more; what is in them
// may be secret.
func (i *legacyImport) noteRows(ctx context.Context, table legacyTable) error {
	name, ok := i.moved[table.name]
	if !ok {
		return nil
	}
	var rows int
	if err := i.tx.QueryRowContext(ctx, `SELECT count(*) FROM `+quoted(name)).Scan(&rows); err != nil {
		return err
	}
	if rows > 0 {
		i.note(table.name, table.why, fmt.Sprintf("%d rows", rows))
	}
	return nil
}

// renameTable moves a table, if there is such a one, out of the way of ours.
func (i *legacyImport) renameTable(ctx context.Context, name string) error {
	exists, err := i.has(ctx, name)
	if err != nil || !exists {
		return err
	}
	free := name
	for exists {
		free = "legacy_" + free
		if exists, err = i.has(ctx, free); err != nil {
			return err
		}
	}
	i.moved[name] = free
	return i.exec(ctx, `ALTER TABLE `+quoted(name)+` RENAME TO `+quoted(free))
}

// has reports whether anything goes by the name; SQLite ignores its case.
func (i *legacyImport) has(ctx context.Context, name string) (bool, error) {
	var n int
	err := i.tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE lower(name) = lower(?)`, name).Scan(&n)
	return n > 0, err
}

// clearNames moves whatever else is in the way of a table or index of ours, now
// or after the numbered steps.
func (i *legacyImport) clearNames(ctx context.Context) error {
	all, err := i.objects(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if !i.ours[strings.ToLower(o.name)] {
			continue
		}
		if o.kind == "table" {
			err = i.renameTable(ctx, o.name)
		} else {
			i.note(o.kind+" "+o.name, "Salita needs its name.", o.statement)
			err = i.exec(ctx, `DROP `+o.kind+` `+quoted(o.name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// dropPasswords removes what nothing asks for any more and should not lie
// about. Who wrote the posts stays known.
func (i *legacyImport) dropPasswords(ctx context.Context) error {
	users, ok := i.moved["users"]
	if !ok {
		return nil
	}
	var has bool
	if err := i.tx.QueryRowContext(ctx,
		`SELECT count(*) > 0 FROM pragma_table_info(?) WHERE name = 'password_hash' AND NOT "notnull"`, users).Scan(&has); err != nil || !has {
		return err
	}
	return i.exec(ctx, `UPDATE `+quoted(users)+` SET password_hash = NULL WHERE password_hash IS NOT NULL`)
}

// dropTables removes the tables whose rows have been taken over or noted. Tables
// that nobody knows and that refer to them keep their rows.
func (i *legacyImport) dropTables(ctx context.Context) error {
	for _, table := range legacyTables() {
		if name, ok := i.moved[table.name]; ok && table.fate != keep {
			if err := i.exec(ctx, `DROP TABLE `+quoted(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// quoted is a name as SQL takes it, whatever characters it has.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
