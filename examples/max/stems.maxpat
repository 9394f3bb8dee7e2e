{
  "patcher": {
    "fileversion": 1,
    "appversion": {
      "major": 8,
      "minor": 5,
      "revision": 0,
      "architecture": "x64",
      "modernui": 1
    },
    "classnamespace": "box",
    "rect": [
      80.0,
      80.0,
      560.0,
      520.0
    ],
    "boxes": [
      {
        "box": {
          "id": "title",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            30,
            12,
            480,
            36.0
          ],
          "text": "Drop a song. Its stems are written into the folder stems beside it, and the vocals are played. This patch belongs beside dsu.js."
        }
      },
      {
        "box": {
          "id": "install",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            30,
            60,
            130,
            22.0
          ],
          "text": "script npm install",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "start",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            170,
            60,
            80,
            22.0
          ],
          "text": "script start",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "executables",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            30,
            110,
            130,
            22.0
          ],
          "text": "executables ~/DSU",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "where",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            165,
            110,
            155,
            36.0
          ],
          "text": "the folder of the programs; not needed in a checkout"
        }
      },
      {
        "box": {
          "id": "cancel",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            260,
            60,
            60,
            22.0
          ],
          "text": "cancel",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "drop",
          "maxclass": "dropfile",
          "numinlets": 1,
          "numoutlets": 2,
          "patching_rect": [
            330,
            60,
            140,
            22.0
          ],
          "outlettype": [
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "separate",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 1,
          "patching_rect": [
            330,
            110,
            120,
            22.0
          ],
          "text": "prepend separate",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "dsu",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 2,
          "patching_rect": [
            30,
            160,
            200,
            22.0
          ],
          "text": "node.script dsu.js",
          "outlettype": [
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "route",
          "maxclass": "newobj",
          "numinlets": 6,
          "numoutlets": 6,
          "patching_rect": [
            30,
            210,
            300,
            22.0
          ],
          "text": "route progress stem done error state",
          "outlettype": [
            "",
            "",
            "",
            "",
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "percent",
          "maxclass": "number",
          "numinlets": 1,
          "numoutlets": 2,
          "patching_rect": [
            30,
            260,
            60,
            22.0
          ],
          "outlettype": [
            "",
            ""
          ],
          "parameter_enable": 0
        }
      },
      {
        "box": {
          "id": "vocals",
          "maxclass": "newobj",
          "numinlets": 2,
          "numoutlets": 2,
          "patching_rect": [
            110,
            260,
            100,
            22.0
          ],
          "text": "route vocals",
          "outlettype": [
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "first",
          "maxclass": "newobj",
          "numinlets": 2,
          "numoutlets": 2,
          "patching_rect": [
            110,
            300,
            60,
            22.0
          ],
          "text": "zl.nth 1",
          "outlettype": [
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "open",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 1,
          "patching_rect": [
            110,
            340,
            100,
            22.0
          ],
          "text": "prepend open",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "player",
          "maxclass": "newobj",
          "numinlets": 2,
          "numoutlets": 3,
          "patching_rect": [
            110,
            380,
            80,
            22.0
          ],
          "text": "sfplay~ 2",
          "outlettype": [
            "signal",
            "signal",
            "bang"
          ]
        }
      },
      {
        "box": {
          "id": "play",
          "maxclass": "toggle",
          "numinlets": 1,
          "numoutlets": 1,
          "patching_rect": [
            220,
            380,
            24,
            22.0
          ],
          "outlettype": [
            ""
          ],
          "parameter_enable": 0
        }
      },
      {
        "box": {
          "id": "out",
          "maxclass": "newobj",
          "numinlets": 2,
          "numoutlets": 0,
          "patching_rect": [
            110,
            430,
            60,
            22.0
          ],
          "text": "dac~"
        }
      },
      {
        "box": {
          "id": "print",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            260,
            300,
            90,
            22.0
          ],
          "text": "print dsu"
        }
      },
      {
        "box": {
          "id": "console",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            360,
            292,
            170,
            36.0
          ],
          "text": "errors, warnings, and what npm and the script say: in the console"
        }
      }
    ],
    "lines": [
      {
        "patchline": {
          "source": [
            "install",
            0
          ],
          "destination": [
            "dsu",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "start",
            0
          ],
          "destination": [
            "dsu",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "executables",
            0
          ],
          "destination": [
            "dsu",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "cancel",
            0
          ],
          "destination": [
            "dsu",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "drop",
            0
          ],
          "destination": [
            "separate",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "separate",
            0
          ],
          "destination": [
            "dsu",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "dsu",
            0
          ],
          "destination": [
            "route",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            0
          ],
          "destination": [
            "percent",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            1
          ],
          "destination": [
            "vocals",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "vocals",
            0
          ],
          "destination": [
            "first",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "first",
            0
          ],
          "destination": [
            "open",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "open",
            0
          ],
          "destination": [
            "player",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "play",
            0
          ],
          "destination": [
            "player",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "player",
            0
          ],
          "destination": [
            "out",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "player",
            1
          ],
          "destination": [
            "out",
            1
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            3
          ],
          "destination": [
            "print",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            5
          ],
          "destination": [
            "print",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "dsu",
            1
          ],
          "destination": [
            "print",
            0
          ]
        }
      }
    ]
  }
}
