#!/usr/bin/perl
#
# The ways by which Perl programs read their pagemap.
#
# What it prints and waits for: see tests/vm/guest/observe.

use strict;
use warnings;
use Fcntl qw(:DEFAULT :seek);

my ($page, $pages, $path) = (4096, 16, "/proc/self/pagemap");

sub buffered {
    my ($pos) = @_;
    my $data = "";
    open my $file, "<:raw", $path or die "$path: $!";
    seek $file, $pos, SEEK_SET or die "seek: $!";
    for (1 .. $pages) {
        (read $file, $data, 8, length $data) == 8 or die "read: $!";
    }
    return $data;
}

sub unbuffered {
    my ($pos) = @_;
    sysopen my $file, $path, O_RDONLY or die "$path: $!";
    sysseek $file, $pos, SEEK_SET or die "sysseek: $!";
    (sysread $file, my $data, 8 * $pages) == 8 * $pages or die "sysread: $!";
    return $data;
}

sub through_stdio {
    my ($pos) = @_;
    open my $file, "<:unix:stdio", $path or die "$path: $!";
    seek $file, $pos, SEEK_SET or die "seek: $!";
    (read $file, my $data, 8 * $pages) == 8 * $pages or die "read: $!";
    return $data;
}

my @memory;    # kept until the end

for my $way ([buffered => \&buffered], [unbuffered => \&unbuffered],
             [through_stdio => \&through_stdio]) {
    my ($name, $lookup) = @$way;
    push @memory, "x" x ($page * ($pages + 1));
    my $va = (unpack "J", pack "P", $memory[-1]) & ~($page - 1);
    for my $entry (unpack "Q*", $lookup->($va / $page * 8)) {
        printf "%#x %#x %s\n", $va, $entry, $name;
        $va += $page;
    }
}
$| = 1;
print "ready\n";
<STDIN>;
