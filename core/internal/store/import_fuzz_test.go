package store

import (
	"net"
	"testing"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// FuzzLegacyRow gives the import rows of any content. Each becomes a device that
// our table takes and that is fit to show.
func FuzzLegacyRow(f *testing.F) {
	f.Add("0192f0c1-7a2b-7c3d-8e4f-000000000001", "Phone", "192.168.1.75", "6969", `["posting"]`, `{"free": 1}`, "2026-02-01 09:15:00")
	f.Add("", "\u202e\n", "fe80::1%eth0", "-1", `[1, {}]`, `null`, "2026-02-01T09:15:00+25:00")
	f.Add("a", "", "", "70000", `{`, `{"a": [[[]]], "a": "\\u0000"}`, "0001-01-01 00:00:00")
	s, err := Open(f.Context(), optionsIn(f.TempDir()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, id, name, host, port, capabilities, metadata, at string) {
		i := &legacyImport{now: noon, taken: map[string]string{}}
		row := i.device(legacyRow{
			"id": id, "name": name, "hostname": host, "port": port,
			"capabilities": capabilities, "metadata": []byte(metadata), "last_seen": at, "created_at": at,
		})
		if row.ID == "" || row.Name == "" || row.Name != mesh.CleanName(row.Name) || row.PairedAt.IsZero() {
			t.Errorf("device = %+v", row)
		}
		for _, address := range row.Addresses {
			if _, _, err := net.SplitHostPort(address); err != nil {
				t.Error(err)
			}
		}
		must(t, s.write.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&row).Error)
			var back deviceRow
			must(t, tx.Take(&back, "id = ?", row.ID).Error)
			diff(t, row.device(), back.device())
			return tx.Where("id = ?", row.ID).Delete(&deviceRow{}).Error
		}))
	})
}
