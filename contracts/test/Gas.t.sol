// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignerSet} from "../sources/vault/SignerSet.sol";
import {
    DestinationAddition,
    ExitRequest,
    Fee,
    OneOff,
    Pause,
    Payment,
    Withdrawal,
    WithdrawalBatch
} from "../sources/vault/VaultMessages.sol";
import {InitialPolicy, Side, VaultConfig} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice What each operation costs, each a transaction of its own. The figures go into the report of the run; they are
/// compared with contracts/snapshots, and with the limits, by tools/snapshot.ts.
/// forge-config: default.isolate = true
/// forge-config: deep.isolate = true
contract GasTest is VaultWorld {
    string private constant GROUP = "vault";
    Client private ada;
    Client private pool;

    /// @dev A vault in daily use: its words of nonces and its windows are written, its payees exist.
    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
        pool = openClient("pool", OMNIBUS);
        use(ada);
        use(pool);
        vm.deal(ada.listed, 1);
        vm.deal(stranger, 1);
        dollar.mint(ada.listed, 1);
        dollar.mint(stranger, 1);
        pass(10);
    }

    function use(Client memory c) private {
        pay(c, ETH, c.listed, 1);
        pay(c, address(dollar), c.listed, 1);
        addDestination(c, actor("another"));
    }

    function testGasOfCreation() external {
        Client memory eve = newClient("eve", INDIVIDUAL);
        factory.create(eve.config);
        note("create");
        VaultConfig[] memory configs = new VaultConfig[](10);
        for (uint256 i = 0; i < 10; ++i) {
            configs[i] = newClient(string(abi.encodePacked("client", bytes1(uint8(65 + i)))), INDIVIDUAL).config;
        }
        factory.createMany(configs);
        note("create, ten at once");
        openPolicy(eve);
        note("open the policy: one destination, two caps");
    }

    function testGasOfTheFirstPayment() external {
        Client memory eve = newClient("eve", INDIVIDUAL);
        vm.deal(address(eve.vault), 1 ether);
        Withdrawal memory m = withdrawal(ETH, eve.listed, 1);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(eve.vault.openPolicy, (eve.config, abi.decode(eve.policy, (InitialPolicy))));
        calls[1] = abi.encodeCall(eve.vault.pay, (eve.config, m, byQuorum(eve, Typed.hash(m))));
        factory.createAndCall(eve.config, calls);
        note("create, open the policy and pay ETH for the first time");
    }

    function testGasOfDeposits() external {
        vm.deal(address(this), 1);
        (bool ok,) = address(ada.vault).call{value: 1}("");
        note("deposit of ETH");
        vm.assertTrue(ok, "taken");
    }

    function testGasOfPayments() external {
        pay(ada, ETH, ada.listed, 1);
        note("pay ETH, 2 of 3");
        pay(ada, address(dollar), ada.listed, 1);
        note("pay ERC-20, 2 of 3");
        payOnce(ada, ETH, stranger, 1);
        note("pay ETH once, with the client key");
    }

    function testGasOfAnUnlistedPayment() external {
        pay(pool, ETH, stranger, 1);
        note("pay ETH from an omnibus to an unlisted address, first of a window");
        pay(pool, ETH, stranger, 1);
        note("pay ETH from an omnibus to an unlisted address");
    }

    function testGasOfBatches() external {
        payBatch(ETH);
        note("pay ten times ETH");
        payBatch(address(dollar));
        note("pay ten times ERC-20");
    }

    /// @dev To ten destinations.
    function payBatch(address token) private {
        WithdrawalBatch memory m = WithdrawalBatch(new Payment[](10), nextNonce(), soon());
        for (uint160 i = 0; i < 10; ++i) {
            address to = address((uint160(0xdd) << 152) + i);
            if (token == ETH) addDestination(ada, to);
            vm.deal(to, 1);
            dollar.mint(to, 1);
            m.payments[i] = payment(token, to, 1);
        }
        if (token == ETH) pass(CHANGE);
        pay(ada, token, ada.listed, 1);
        m.deadline = soon();
        ada.vault.payBatch(ada.config, m, byQuorum(ada, Typed.hash(m)));
    }

    function testGasOfFees() external {
        collectFee(ada, ETH, 0);
        note("start the clock of a fee");
        pass(30 days);
        vm.deal(operator, 1);
        collectFee(ada, ETH, 1 ether / 100);
        note("collect a fee in ETH");
    }

    function testGasOfAgreements() external {
        addDestination(ada, stranger);
        note("add a destination");
        removeDestination(ada, Side.ClientKey, stranger);
        note("remove a destination");
        lowerLimit(ada, Side.ClientKey, ETH, 1, false);
        note("lower a limit");
        pause(ada, Side.ClientKey);
        note("pause");
    }

    function testGasOfTheExit() external {
        requestExit(ada);
        note("request the exit");
        pass(EXIT);
        vm.deal(ada.config.exitDestination, 1);
        dollar.mint(ada.config.exitDestination, 1);
        ada.vault.exit(ada.config, ETH);
        note("exit with ETH");
        ada.vault.exit(ada.config, address(dollar));
        note("exit with ERC-20");
    }

    function testGasOfTheSignerSet() external {
        heartbeat();
        note("heartbeat of all vaults");
        uint256[] memory next = sortedKeys("next", 3);
        SignerSet.SetChange memory m = SignerSet.SetChange(2, addressesOf(next), 2);
        bytes32 digest = Typed.changeDigest(address(signers), m);
        signers.changeSet(m, byMembers(0, 1, digest), bytes.concat(sign(next[0], digest), sign(next[1], digest)));
        note("change the signers of all vaults");
    }

    function testGasOfForwarders() external {
        bytes32[] memory salts = new bytes32[](1);
        vm.deal(factory.forwarderAddress(address(pool.vault), salts[0]), 1);
        factory.flush(address(pool.vault), salts, ETH);
        note("create a forwarder and flush ETH");
        dollar.mint(factory.forwarderAddress(address(pool.vault), salts[0]), 1);
        factory.flush(address(pool.vault), salts, address(dollar));
        note("flush ERC-20");
    }

    function testSizes() external {
        size("VaultFactory", address(factory));
        size("ClientVault", factory.vaultImplementation());
        size("DepositForwarder", factory.forwarderImplementation());
        size("SignerSet", address(signers));
        size("a vault", address(ada.vault));
    }

    /// @dev They decide the addresses that the standard factory gives, on every chain.
    function testInitCode() external {
        string[3] memory names = ["VaultFactory", "SignerSet", "SweepDelegate"];
        for (uint256 i = 0; i < 3; ++i) {
            vm.snapshotValue("init code", names[i], uint256(keccak256(codeOf(names[i]))));
        }
    }

    function size(string memory name, address deployed) private {
        vm.snapshotValue("sizes", name, deployed.code.length);
    }

    function note(string memory name) private {
        vm.snapshotGasLastCall(GROUP, name);
    }
}
