package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPagingWhileOthersWrite follows the pages while posts are written and removed
// in between. Whatever was there all the time is seen once, in order.
func TestPagingWhileOthersWrite(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 7, 50} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := open(t)
			var present []string // newest first
			for n := range 30 {
				present = slices.Insert(present, 0, s.mustPost(t, anna, fmt.Sprint(n)).ID)
			}
			steady := slices.Clone(present)
			var seen []string
			place := ""
			for page := 0; ; page++ {
				posts, next, err := s.Posts(t.Context(), anna, place, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range posts {
					seen = append(seen, p.ID)
				}
				if next == "" {
					break
				}
				if len(posts) != limit || next != posts[limit-1].ID {
					t.Fatalf("page %d has %d posts and ends with %q", page, len(posts), next)
				}
				place = next
				// The post that is the place itself goes in every other round.
				victim := present[rand.IntN(len(present))]
				if page%2 == 0 && slices.Contains(present, place) {
					victim = place
				}
				if err := s.RemovePost(t.Context(), victim, owner); err != nil {
					t.Fatal(err)
				}
				present = slices.DeleteFunc(present, func(id string) bool { return id == victim })
				steady = slices.DeleteFunc(steady, func(id string) bool { return id == victim })
				present = slices.Insert(present, 0, s.mustPost(t, ben, "meanwhile").ID)
			}
			for i := range seen[1:] {
				if seen[i+1] >= seen[i] {
					t.Errorf("not newest first, or one twice: %q", seen)
				}
			}
			for _, id := range steady {
				if !slices.Contains(seen, id) {
					t.Errorf("post %s was there all the time and not seen", id)
				}
			}
		})
	}
}

func TestPagesOfComments(t *testing.T) {
	s := open(t)
	p := s.mustPost(t, anna, "text")
	var want []string
	for n := range 7 {
		want = append(want, s.mustComment(t, p.ID, ben, fmt.Sprint(n)).ID)
	}
	for _, limit := range []int{1, 2, 6, 7, 8} {
		var got []string
		place := ""
		for {
			comments, next, err := s.Comments(t.Context(), p.ID, place, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range comments {
				got = append(got, c.ID)
			}
			if place = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
}

// TestOrderSurvivesTheClock: the newest is the last written, whatever the clock
// says, also after a restart.
func TestOrderSurvivesTheClock(t *testing.T) {
	s := open(t)
	now := time.Now()
	s.now = func() time.Time { return now }
	want := []string{}
	for n, step := range []time.Duration{0, 0, -time.Hour, time.Second, -365 * 24 * time.Hour, 2 * time.Hour, -time.Minute} {
		now = now.Add(step)
		text := fmt.Sprint(n)
		p := s.mustPost(t, anna, text)
		if !p.CreatedAt.Equal(now.Truncate(time.Millisecond)) {
			t.Errorf("post %d says %v, the clock said %v", n, p.CreatedAt, now)
		}
		want = slices.Insert(want, 0, text)
	}
	if diff := cmp.Diff(want, s.bodies(t)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
