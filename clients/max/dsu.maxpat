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
			60.0,
			80.0,
			1380.0,
			900.0
		],
		"bglocked": 0,
		"openinpresentation": 0,
		"default_fontsize": 12.0,
		"default_fontface": 0,
		"default_fontname": "Arial",
		"gridonopen": 1,
		"gridsize": [
			15.0,
			15.0
		],
		"gridsnaponopen": 1,
		"objectsnaponopen": 1,
		"statusbarvisible": 2,
		"toolbarvisible": 1,
		"description": "Music into stems with the DSU workers",
		"digest": "",
		"tags": "",
		"boxes": [
			{
				"box": {
					"id": "obj-1",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						15.0,
						500.0,
						33.0
					],
					"text": "dsu: music into stems",
					"fontsize": 20.0,
					"fontface": 1,
					"presentation": 1,
					"presentation_rect": [
						15.0,
						10.0,
						300.0,
						33.0
					]
				}
			},
			{
				"box": {
					"id": "obj-2",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						50.0,
						900.0,
						20.0
					],
					"text": "Send the messages below to [node.script dsu.js]. The first word of each output is its kind. README.md describes them all."
				}
			},
			{
				"box": {
					"id": "obj-3",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						85.0,
						300.0,
						24.0
					],
					"text": "1. The script and the worker",
					"fontsize": 14.0,
					"fontface": 1
				}
			},
			{
				"box": {
					"id": "obj-4",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						115.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "script npm install"
				}
			},
			{
				"box": {
					"id": "obj-5",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						116.0,
						230.0,
						20.0
					],
					"text": "once: installs the client"
				}
			},
			{
				"box": {
					"id": "obj-6",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						145.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "script start"
				}
			},
			{
				"box": {
					"id": "obj-7",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						146.0,
						230.0,
						20.0
					],
					"text": "starts the script; it also starts with the patch"
				}
			},
			{
				"box": {
					"id": "obj-8",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						175.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "script stop"
				}
			},
			{
				"box": {
					"id": "obj-9",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						176.0,
						230.0,
						20.0
					],
					"text": "ends it and all workers"
				}
			},
			{
				"box": {
					"id": "obj-10",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						205.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "executables ~/DSU"
				}
			},
			{
				"box": {
					"id": "obj-11",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						206.0,
						230.0,
						20.0
					],
					"text": "the folder of the DSU programs"
				}
			},
			{
				"box": {
					"id": "obj-12",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						235.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "models_dir ~/DSU/models"
				}
			},
			{
				"box": {
					"id": "obj-13",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						236.0,
						230.0,
						20.0
					],
					"text": "the folder of the models"
				}
			},
			{
				"box": {
					"id": "obj-14",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						265.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "device auto"
				}
			},
			{
				"box": {
					"id": "obj-15",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						266.0,
						230.0,
						20.0
					],
					"text": "auto, cpu, mps, cuda or cuda:1"
				}
			},
			{
				"box": {
					"id": "obj-16",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						295.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "worker bsroformer"
				}
			},
			{
				"box": {
					"id": "obj-17",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						296.0,
						230.0,
						20.0
					],
					"text": "chooses the worker for the other messages"
				}
			},
			{
				"box": {
					"id": "obj-18",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						325.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "worker demucs"
				}
			},
			{
				"box": {
					"id": "obj-19",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						355.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "worker audio-separator"
				}
			},
			{
				"box": {
					"id": "obj-20",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						385.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "worker audiosep"
				}
			},
			{
				"box": {
					"id": "obj-21",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						415.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "start",
					"presentation": 1,
					"presentation_rect": [
						215.0,
						50.0,
						60.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-22",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						416.0,
						230.0,
						20.0
					],
					"text": "starts the worker now, not with its first job"
				}
			},
			{
				"box": {
					"id": "obj-23",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						445.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "stop",
					"presentation": 1,
					"presentation_rect": [
						285.0,
						50.0,
						60.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-24",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						446.0,
						230.0,
						20.0
					],
					"text": "cancels all jobs, ends all workers"
				}
			},
			{
				"box": {
					"id": "obj-25",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						475.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "status"
				}
			},
			{
				"box": {
					"id": "obj-26",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						476.0,
						230.0,
						20.0
					],
					"text": "settings, workers and jobs"
				}
			},
			{
				"box": {
					"id": "obj-27",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						505.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "help"
				}
			},
			{
				"box": {
					"id": "obj-28",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						198.0,
						506.0,
						230.0,
						20.0
					],
					"text": "all messages, in the console"
				}
			},
			{
				"box": {
					"id": "obj-29",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						480.0,
						85.0,
						300.0,
						24.0
					],
					"text": "2. Models and options",
					"fontsize": 14.0,
					"fontface": 1
				}
			},
			{
				"box": {
					"id": "obj-30",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						115.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "models"
				}
			},
			{
				"box": {
					"id": "obj-31",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						116.0,
						210.0,
						20.0
					],
					"text": "lists the models in the menu below"
				}
			},
			{
				"box": {
					"id": "obj-32",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						145.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "load dsu_mini"
				}
			},
			{
				"box": {
					"id": "obj-33",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						146.0,
						210.0,
						20.0
					],
					"text": "loads a model and keeps it loaded"
				}
			},
			{
				"box": {
					"id": "obj-34",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						175.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "unload"
				}
			},
			{
				"box": {
					"id": "obj-35",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						176.0,
						210.0,
						20.0
					],
					"text": "unloads all models"
				}
			},
			{
				"box": {
					"id": "obj-36",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						205.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "download htdemucs"
				}
			},
			{
				"box": {
					"id": "obj-37",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						206.0,
						210.0,
						20.0
					],
					"text": "downloads a model"
				}
			},
			{
				"box": {
					"id": "obj-38",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						235.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option two_stems vocals"
				}
			},
			{
				"box": {
					"id": "obj-39",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						236.0,
						210.0,
						20.0
					],
					"text": "vocals and everything else"
				}
			},
			{
				"box": {
					"id": "obj-40",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						265.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option stems vocals drums"
				}
			},
			{
				"box": {
					"id": "obj-41",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						266.0,
						210.0,
						20.0
					],
					"text": "only these stems"
				}
			},
			{
				"box": {
					"id": "obj-42",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						295.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option quality best"
				}
			},
			{
				"box": {
					"id": "obj-43",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						296.0,
						210.0,
						20.0
					],
					"text": "for dsu-bsroformer: fast, balanced, best"
				}
			},
			{
				"box": {
					"id": "obj-44",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						325.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option format flac"
				}
			},
			{
				"box": {
					"id": "obj-45",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						326.0,
						210.0,
						20.0
					],
					"text": "any field of `separate`"
				}
			},
			{
				"box": {
					"id": "obj-46",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						355.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option apollo.format wav"
				}
			},
			{
				"box": {
					"id": "obj-47",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						356.0,
						210.0,
						20.0
					],
					"text": "for one worker or step only"
				}
			},
			{
				"box": {
					"id": "obj-48",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						385.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option format"
				}
			},
			{
				"box": {
					"id": "obj-49",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						386.0,
						210.0,
						20.0
					],
					"text": "removes an option"
				}
			},
			{
				"box": {
					"id": "obj-50",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						415.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "option clear"
				}
			},
			{
				"box": {
					"id": "obj-51",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						416.0,
						210.0,
						20.0
					],
					"text": "removes all options and the text"
				}
			},
			{
				"box": {
					"id": "obj-52",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						445.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "text a dog barking"
				}
			},
			{
				"box": {
					"id": "obj-53",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						446.0,
						210.0,
						20.0
					],
					"text": "what dsu-audiosep separates"
				}
			},
			{
				"box": {
					"id": "obj-54",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						475.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "output ~/Desktop/stems"
				}
			},
			{
				"box": {
					"id": "obj-55",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						476.0,
						210.0,
						20.0
					],
					"text": "the folder for stems"
				}
			},
			{
				"box": {
					"id": "obj-56",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						480.0,
						505.0,
						170.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "output"
				}
			},
			{
				"box": {
					"id": "obj-57",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						658.0,
						506.0,
						210.0,
						20.0
					],
					"text": "`stems` next to each song again"
				}
			},
			{
				"box": {
					"id": "obj-58",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						920.0,
						85.0,
						300.0,
						24.0
					],
					"text": "3. Songs",
					"fontsize": 14.0,
					"fontface": 1
				}
			},
			{
				"box": {
					"id": "obj-59",
					"maxclass": "dropfile",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						920.0,
						115.0,
						190.0,
						52.0
					],
					"outlettype": [
						"",
						""
					],
					"types": [],
					"presentation": 1,
					"presentation_rect": [
						15.0,
						50.0,
						190.0,
						52.0
					]
				}
			},
			{
				"box": {
					"id": "obj-60",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1120.0,
						131.0,
						200.0,
						20.0
					],
					"text": "drop a song or a folder here"
				}
			},
			{
				"box": {
					"id": "obj-61",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						175.0,
						110.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend separate"
				}
			},
			{
				"box": {
					"id": "obj-62",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						215.0,
						210.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "separate \"~/Music/My Song.wav\""
				}
			},
			{
				"box": {
					"id": "obj-63",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1138.0,
						216.0,
						170.0,
						20.0
					],
					"text": "quotes if there are spaces"
				}
			},
			{
				"box": {
					"id": "obj-64",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						245.0,
						290.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "separate ~/Music/song.wav dsu_mini ~/Desktop"
				}
			},
			{
				"box": {
					"id": "obj-65",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1218.0,
						246.0,
						125.0,
						20.0
					],
					"text": "PATH MODEL OUTPUT"
				}
			},
			{
				"box": {
					"id": "obj-66",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						275.0,
						270.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "restore ~/Music/song.mp3 apollo_lew_uni"
				}
			},
			{
				"box": {
					"id": "obj-67",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1198.0,
						276.0,
						110.0,
						20.0
					],
					"text": "with Apollo"
				}
			},
			{
				"box": {
					"id": "obj-68",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						305.0,
						440.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "sequence bsroformer:vocals_melband:vocals>apollo:apollo_lew_uni ~/Music/song.wav"
				}
			},
			{
				"box": {
					"id": "obj-69",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						335.0,
						60.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "cancel"
				}
			},
			{
				"box": {
					"id": "obj-70",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						988.0,
						336.0,
						320.0,
						20.0
					],
					"text": "the running job"
				}
			},
			{
				"box": {
					"id": "obj-71",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						365.0,
						60.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "cancel 2"
				}
			},
			{
				"box": {
					"id": "obj-72",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						988.0,
						366.0,
						320.0,
						20.0
					],
					"text": "the job with this number"
				}
			},
			{
				"box": {
					"id": "obj-73",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						395.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "cancel_all",
					"presentation": 1,
					"presentation_rect": [
						215.0,
						80.0,
						75.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-74",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1003.0,
						396.0,
						305.0,
						20.0
					],
					"text": "all jobs"
				}
			},
			{
				"box": {
					"id": "obj-75",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						40.0,
						560.0,
						260.0,
						22.0
					],
					"outlettype": [
						"",
						""
					],
					"text": "node.script dsu.js @autostart 1 @watch 0",
					"saved_object_attributes": {
						"autostart": 1,
						"defer": 0,
						"node_bin_path": "",
						"npm_bin_path": "",
						"watch": 0
					}
				}
			},
			{
				"box": {
					"id": "obj-76",
					"maxclass": "bpatcher",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						920.0,
						560.0,
						400.0,
						220.0
					],
					"outlettype": [
						"bang"
					],
					"name": "n4m.monitor.maxpat",
					"bgmode": 0,
					"border": 0,
					"clickthrough": 0,
					"enablehscroll": 0,
					"enablevscroll": 0,
					"lockeddragscroll": 0,
					"lockedsize": 0,
					"offset": [
						0.0,
						0.0
					],
					"viewvisibility": 1
				}
			},
			{
				"box": {
					"id": "obj-77",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						606.0,
						300.0,
						24.0
					],
					"text": "What comes out",
					"fontsize": 14.0,
					"fontface": 1
				}
			},
			{
				"box": {
					"id": "obj-78",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						634.0,
						850.0,
						100.0
					],
					"text": "progress PERCENT ID STAGE\nstem NAME PATH ID, one for each file; done DIR SECONDS ID when a job has succeeded\nerror MESSAGE CODE, with the ID if it is about a job; cancelled ID\nstate queued ID NAME, running ID, idle, starting WORKER, ready WORKER DEVICE, stopped WORKER, worker NAME, off\nmodels NAME NAME ...; loaded MODEL STEM STEM ...; unloaded COUNT; downloaded MODEL PATH\nstatus KEY VALUE ...; warning MESSAGE; log WHO TEXT",
					"linecount": 6
				}
			},
			{
				"box": {
					"id": "obj-79",
					"maxclass": "newobj",
					"numinlets": 7,
					"numoutlets": 7,
					"patching_rect": [
						40.0,
						800.0,
						1280.0,
						22.0
					],
					"outlettype": [
						"",
						"",
						"",
						"",
						"",
						"",
						""
					],
					"text": "route progress stem done models error state"
				}
			},
			{
				"box": {
					"id": "obj-80",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						40.0,
						840.0,
						185.0,
						22.0
					],
					"outlettype": [
						"float",
						"int",
						""
					],
					"text": "unpack 0. 0 s"
				}
			},
			{
				"box": {
					"id": "obj-81",
					"maxclass": "flonum",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						40.0,
						875.0,
						62.0,
						22.0
					],
					"outlettype": [
						"",
						"bang"
					],
					"format": 6,
					"presentation": 1,
					"presentation_rect": [
						225.0,
						144.0,
						62.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-82",
					"maxclass": "number",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						110.0,
						875.0,
						45.0,
						22.0
					],
					"outlettype": [
						"",
						"bang"
					]
				}
			},
			{
				"box": {
					"id": "obj-83",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						162.0,
						875.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend set"
				}
			},
			{
				"box": {
					"id": "obj-84",
					"maxclass": "slider",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						40.0,
						910.0,
						112.0,
						22.0
					],
					"outlettype": [
						""
					],
					"orientation": 1,
					"size": 101.0,
					"parameter_enable": 0,
					"ignoreclick": 1,
					"presentation": 1,
					"presentation_rect": [
						15.0,
						144.0,
						200.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-85",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						162.0,
						910.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "",
					"presentation": 1,
					"presentation_rect": [
						295.0,
						144.0,
						75.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-86",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						40.0,
						940.0,
						190.0,
						20.0
					],
					"text": "percent, job, stage"
				}
			},
			{
				"box": {
					"id": "obj-87",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						250.0,
						840.0,
						95.0,
						22.0
					],
					"outlettype": [
						"",
						"",
						"int"
					],
					"text": "unpack s s 0"
				}
			},
			{
				"box": {
					"id": "obj-88",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						250.0,
						875.0,
						100.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend append"
				}
			},
			{
				"box": {
					"id": "obj-89",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						370.0,
						875.0,
						45.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "clear"
				}
			},
			{
				"box": {
					"id": "obj-90",
					"maxclass": "umenu",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						250.0,
						910.0,
						190.0,
						22.0
					],
					"outlettype": [
						"int",
						"",
						""
					],
					"items": "<empty>",
					"parameter_enable": 0,
					"presentation": 1,
					"presentation_rect": [
						15.0,
						176.0,
						330.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-91",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						250.0,
						945.0,
						62.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "tosymbol"
				}
			},
			{
				"box": {
					"id": "obj-92",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						250.0,
						980.0,
						90.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend open"
				}
			},
			{
				"box": {
					"id": "obj-93",
					"maxclass": "toggle",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						360.0,
						979.0,
						24.0,
						24.0
					],
					"outlettype": [
						"int"
					],
					"parameter_enable": 0,
					"presentation": 1,
					"presentation_rect": [
						15.0,
						206.0,
						24.0,
						24.0
					]
				}
			},
			{
				"box": {
					"id": "obj-94",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						390.0,
						981.0,
						50.0,
						20.0
					],
					"text": "play"
				}
			},
			{
				"box": {
					"id": "obj-95",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 3,
					"patching_rect": [
						250.0,
						1015.0,
						100.0,
						22.0
					],
					"outlettype": [
						"signal",
						"signal",
						"bang"
					],
					"text": "sfplay~ 2"
				}
			},
			{
				"box": {
					"id": "obj-96",
					"maxclass": "ezdac~",
					"numinlets": 2,
					"numoutlets": 0,
					"patching_rect": [
						250.0,
						1050.0,
						45.0,
						45.0
					],
					"presentation": 1,
					"presentation_rect": [
						50.0,
						206.0,
						45.0,
						45.0
					]
				}
			},
			{
				"box": {
					"id": "obj-97",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						305.0,
						1053.0,
						135.0,
						34.0
					],
					"text": "plays the stem chosen in the menu",
					"linecount": 2
				}
			},
			{
				"box": {
					"id": "obj-98",
					"maxclass": "button",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						460.0,
						840.0,
						24.0,
						24.0
					],
					"outlettype": [
						"bang"
					],
					"parameter_enable": 0
				}
			},
			{
				"box": {
					"id": "obj-99",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						500.0,
						840.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend set"
				}
			},
			{
				"box": {
					"id": "obj-100",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						460.0,
						875.0,
						190.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": ""
				}
			},
			{
				"box": {
					"id": "obj-101",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 4,
					"patching_rect": [
						460.0,
						910.0,
						110.0,
						22.0
					],
					"outlettype": [
						"dictionary",
						"",
						"",
						""
					],
					"text": "dict dsu_result",
					"saved_object_attributes": {
						"embed": 0,
						"parameter_enable": 0,
						"parameter_mappable": 0
					}
				}
			},
			{
				"box": {
					"id": "obj-102",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						460.0,
						940.0,
						190.0,
						34.0
					],
					"text": "the last result; double-click to view it",
					"linecount": 2
				}
			},
			{
				"box": {
					"id": "obj-103",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						670.0,
						840.0,
						60.0,
						22.0
					],
					"outlettype": [
						"",
						"clear"
					],
					"text": "t l clear"
				}
			},
			{
				"box": {
					"id": "obj-104",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						670.0,
						875.0,
						34.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "iter"
				}
			},
			{
				"box": {
					"id": "obj-105",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						670.0,
						910.0,
						100.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend append"
				}
			},
			{
				"box": {
					"id": "obj-106",
					"maxclass": "umenu",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						670.0,
						945.0,
						190.0,
						22.0
					],
					"outlettype": [
						"int",
						"",
						""
					],
					"items": "<empty>",
					"parameter_enable": 0,
					"presentation": 1,
					"presentation_rect": [
						110.0,
						206.0,
						235.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-107",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						670.0,
						980.0,
						62.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "tosymbol"
				}
			},
			{
				"box": {
					"id": "obj-108",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						670.0,
						1015.0,
						85.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend load"
				}
			},
			{
				"box": {
					"id": "obj-109",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						765.0,
						1012.0,
						95.0,
						34.0
					],
					"text": "loads the chosen model",
					"linecount": 2
				}
			},
			{
				"box": {
					"id": "obj-110",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						880.0,
						840.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend set"
				}
			},
			{
				"box": {
					"id": "obj-111",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						880.0,
						875.0,
						190.0,
						62.0
					],
					"outlettype": [
						""
					],
					"text": "",
					"presentation": 1,
					"presentation_rect": [
						15.0,
						261.0,
						355.0,
						62.0
					]
				}
			},
			{
				"box": {
					"id": "obj-112",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						880.0,
						940.0,
						190.0,
						20.0
					],
					"text": "what went wrong and what to do"
				}
			},
			{
				"box": {
					"id": "obj-113",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1090.0,
						840.0,
						75.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "prepend set"
				}
			},
			{
				"box": {
					"id": "obj-114",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1090.0,
						875.0,
						150.0,
						22.0
					],
					"outlettype": [
						""
					],
					"text": "",
					"presentation": 1,
					"presentation_rect": [
						15.0,
						112.0,
						330.0,
						22.0
					]
				}
			},
			{
				"box": {
					"id": "obj-115",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1090.0,
						905.0,
						190.0,
						20.0
					],
					"text": "what is going on"
				}
			},
			{
				"box": {
					"id": "obj-116",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1250.0,
						840.0,
						70.0,
						22.0
					],
					"text": "print dsu"
				}
			},
			{
				"box": {
					"id": "obj-117",
					"maxclass": "comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1250.0,
						870.0,
						140.0,
						20.0
					],
					"text": "everything else, in the console"
				}
			}
		],
		"lines": [
			{
				"patchline": {
					"source": [
						"obj-59",
						0
					],
					"destination": [
						"obj-61",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-4",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						141.0,
						26.0,
						141.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-6",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						171.0,
						26.0,
						171.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-8",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						201.0,
						26.0,
						201.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-10",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						231.0,
						26.0,
						231.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-12",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						261.0,
						26.0,
						261.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-14",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						291.0,
						26.0,
						291.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-16",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						321.0,
						26.0,
						321.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-18",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						351.0,
						26.0,
						351.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-19",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						381.0,
						26.0,
						381.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-20",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						411.0,
						26.0,
						411.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-21",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						441.0,
						26.0,
						441.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-23",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						471.0,
						26.0,
						471.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-25",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						501.0,
						26.0,
						501.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-27",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						49.5,
						531.0,
						26.0,
						531.0,
						26.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-30",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						141.0,
						466.0,
						141.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-32",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						171.0,
						466.0,
						171.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-34",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						201.0,
						466.0,
						201.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-36",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						231.0,
						466.0,
						231.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-38",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						261.0,
						466.0,
						261.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-40",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						291.0,
						466.0,
						291.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-42",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						321.0,
						466.0,
						321.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-44",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						351.0,
						466.0,
						351.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-46",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						381.0,
						466.0,
						381.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-48",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						411.0,
						466.0,
						411.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-50",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						441.0,
						466.0,
						441.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-52",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						471.0,
						466.0,
						471.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-54",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						501.0,
						466.0,
						501.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-56",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						489.5,
						531.0,
						466.0,
						531.0,
						466.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-61",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						201.0,
						906.0,
						201.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-62",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						241.0,
						906.0,
						241.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-64",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						271.0,
						906.0,
						271.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-66",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						301.0,
						906.0,
						301.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-68",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						331.0,
						906.0,
						331.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-69",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						361.0,
						906.0,
						361.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-71",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						391.0,
						906.0,
						391.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-73",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						929.5,
						421.0,
						906.0,
						421.0,
						906.0,
						545.0,
						49.5,
						545.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-75",
						1
					],
					"destination": [
						"obj-76",
						0
					],
					"midpoints": [
						290.5,
						588.0,
						905.0,
						588.0,
						905.0,
						552.0,
						929.5,
						552.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-75",
						0
					],
					"destination": [
						"obj-79",
						0
					],
					"midpoints": [
						49.5,
						596.0,
						30.0,
						596.0,
						30.0,
						786.0,
						49.5,
						786.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						0
					],
					"destination": [
						"obj-80",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-80",
						0
					],
					"destination": [
						"obj-81",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-80",
						1
					],
					"destination": [
						"obj-82",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-80",
						2
					],
					"destination": [
						"obj-83",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-81",
						0
					],
					"destination": [
						"obj-84",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-83",
						0
					],
					"destination": [
						"obj-85",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						1
					],
					"destination": [
						"obj-87",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-87",
						1
					],
					"destination": [
						"obj-88",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-88",
						0
					],
					"destination": [
						"obj-90",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-89",
						0
					],
					"destination": [
						"obj-90",
						0
					],
					"midpoints": [
						379.5,
						903.0,
						259.5,
						903.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-90",
						1
					],
					"destination": [
						"obj-91",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-91",
						0
					],
					"destination": [
						"obj-92",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-92",
						0
					],
					"destination": [
						"obj-95",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-93",
						0
					],
					"destination": [
						"obj-95",
						0
					],
					"midpoints": [
						369.5,
						1009.0,
						259.5,
						1009.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-95",
						0
					],
					"destination": [
						"obj-96",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-95",
						1
					],
					"destination": [
						"obj-96",
						1
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						2
					],
					"destination": [
						"obj-98",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						2
					],
					"destination": [
						"obj-99",
						0
					],
					"midpoints": [
						469.5,
						832.0,
						509.5,
						832.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-99",
						0
					],
					"destination": [
						"obj-100",
						0
					],
					"midpoints": [
						509.5,
						868.0,
						469.5,
						868.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						3
					],
					"destination": [
						"obj-103",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-103",
						0
					],
					"destination": [
						"obj-104",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-104",
						0
					],
					"destination": [
						"obj-105",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-105",
						0
					],
					"destination": [
						"obj-106",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-103",
						1
					],
					"destination": [
						"obj-106",
						0
					],
					"midpoints": [
						720.5,
						868.0,
						785.0,
						868.0,
						785.0,
						938.0,
						679.5,
						938.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-106",
						1
					],
					"destination": [
						"obj-107",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-107",
						0
					],
					"destination": [
						"obj-108",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-108",
						0
					],
					"destination": [
						"obj-75",
						0
					],
					"midpoints": [
						679.5,
						1110.0,
						18.0,
						1110.0,
						18.0,
						549.0,
						49.5,
						549.0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						4
					],
					"destination": [
						"obj-110",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-110",
						0
					],
					"destination": [
						"obj-111",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						5
					],
					"destination": [
						"obj-113",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-113",
						0
					],
					"destination": [
						"obj-114",
						0
					]
				}
			},
			{
				"patchline": {
					"source": [
						"obj-79",
						6
					],
					"destination": [
						"obj-116",
						0
					],
					"midpoints": [
						1310.5,
						832.0,
						1259.5,
						832.0
					]
				}
			}
		],
		"dependency_cache": [],
		"autosave": 0
	}
}
