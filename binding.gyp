{
  'targets': [
    {
      'target_name': 'sd_gateway',
      'sources': [
        'native/addon.cc',
        'native/arguments.cc',
        'native/datagram-receiver.cc',
        'native/datagram-sender.cc',
        'native/fatal-signal.cc',
        'native/file.cc',
        'native/journal.cc',
        'native/notify.cc',
        'native/process.cc',
        'native/signal.cc',
        'native/socket-address.cc',
        'native/stall-watch.cc',
        'native/timed-thread.cc',
        'native/timeout-extension.cc',
      ],
      'defines': [
        # One binary for every Node from 20.19 on.
        'NAPI_VERSION=9',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        '_GNU_SOURCE',
      ],
      'cflags': [
        '-Wall', '-Wextra', '-Werror',
        '-fvisibility=hidden',
        '-fstack-protector-strong',
        # Some compilers define it, perhaps as another number. Level 3 needs GCC 12.
        '-U_FORTIFY_SOURCE',
        '-D_FORTIFY_SOURCE=2',
        # Others' headers don't have to pass our warnings.
        '-isystem<!(node -p "path.dirname(require.resolve(\'node-addon-api\'))")',
        '-isystem<(node_root_dir)/include/node',
      ],
      'cflags!': ['-Wno-unused-parameter'],
      'cflags_cc': ['-std=c++17', '-fvisibility-inlines-hidden'],
      'ldflags': [
        '-static-libstdc++',
        '-static-libgcc',
        '-Wl,--exclude-libs,ALL',
        # Node closes the library when the last worker that loaded it ends; our threads and the signal handlers
        # may outlive that.
        '-Wl,-z,nodelete',
        '-Wl,-z,relro,-z,now',
      ],
    },
  ],
}
